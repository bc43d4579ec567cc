"""A masking file held against a database: which column becomes what, or everything that does not fit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from delivery.counting import counted
from delivery.errors import Misconfigured
from delivery.masking.columns import Catalog, Column, ForeignKey, Place
from delivery.masking.fitting import misfit
from delivery.spec.masking import Masking, Rule

KEEP = Rule(kind="keep")


@dataclass(frozen=True)
class Plan:
    """What becomes of a database."""

    rules: Mapping[Place, Rule]
    """Of each column that is named."""
    truncated: frozenset[str]
    distinct: frozenset[Place]
    """Columns whose values must stay as different as they are: unique ones, and those that refer to one."""

    def masked(self, catalog: Catalog) -> tuple[Column, ...]:
        """Return the columns whose values are replaced."""
        return tuple(one for one in catalog.columns if self.rules.get(one.place, KEEP).replaces)

    def unnamed(self, catalog: Catalog) -> tuple[Column, ...]:
        """Return the columns that go along and of which the file says nothing."""
        left = (one for one in catalog.columns if one.table not in self.truncated and not one.generated)
        return tuple(one for one in left if one.place not in self.rules)


def plan_of(masking: Masking, catalog: Catalog) -> Plan:
    """Return what the masking file means for a database; Misconfigured, with every mistake, when it cannot be done."""
    problems: list[str] = []
    rules: dict[Place, Rule] = {}
    truncated: set[str] = set()
    distinct = _distinct(catalog)
    for name, asked in masking.tables.items():
        table = _table(name, catalog, problems)
        if not table:
            continue
        if asked.truncate:
            truncated.add(table)
        columns = {column.name: column for column in catalog.of(table)}
        for key, rule in asked.columns.items():
            if key not in columns:
                problems.append(f"tables.{name}.columns.{key}: there is no such column; allowed: {', '.join(columns)}")
                continue
            column = columns[key].model_copy(update={"unique": columns[key].place in distinct})
            if problem := misfit(column, rule):
                problems.append(f"tables.{name}.columns.{key}: {problem}")
            rules[column.place] = rule
    plan = Plan(rules, frozenset(truncated), distinct)
    for key_ in catalog.foreign_keys:
        problems += _torn(key_, plan, catalog)
    if problems:
        shown = problems[0] if len(problems) == 1 else "\n  ".join([counted(len(problems), "mistake"), *problems])
        raise Misconfigured(masking.file, shown, next_step="the masking file is explained in docs/backups.md")
    return plan


def _table(name: str, catalog: Catalog, problems: list[str]) -> str:
    matching = [table for table in catalog.tables if table == name]
    matching = matching or [one.table for one in catalog.columns if one.relation == name]
    found = list(dict.fromkeys(matching))
    if len(found) == 1:
        return found[0]
    allowed = ", ".join(found or catalog.tables) or "none: the database has no table"
    problems.append(
        f"tables.{name}: {'is in several schemas' if found else 'there is no such table'}; allowed: {allowed}"
    )
    return ""


def _distinct(catalog: Catalog) -> frozenset[Place]:
    found = {column.place for column in catalog.columns if column.unique}
    pairs = [pair for key in catalog.foreign_keys for pair in key.pairs]
    while more := {own for own, other in pairs if other in found and own not in found}:
        found |= more
    return frozenset(found)


def _torn(key: ForeignKey, plan: Plan, catalog: Catalog) -> Iterator[str]:
    """Yield why a foreign key would not hold afterwards."""
    if key.table in plan.truncated:
        return
    nulls = [own for own, _ in key.pairs if plan.rules.get(own, KEEP).kind == "null"]
    if nulls:
        return  # what is null refers to nothing
    if key.referenced in plan.truncated:
        yield (
            f"tables.{key.referenced}.truncate: {key.table} refers to it by {', '.join(key.columns)} (foreign key "
            f"{key.name}); allowed: truncate for that one as well, or null for one of these columns"
        )
        return
    columns = {column.place: column for column in catalog.columns}
    for own, other in key.pairs:
        rule, theirs = plan.rules.get(own, KEEP), plan.rules.get(other, KEEP)
        if rule != theirs:
            yield (
                f"{'.'.join(own)}: becomes {rule.shown}, and {'.'.join(other)}, to which it refers (foreign key "
                f"{key.name}), becomes {theirs.shown}; allowed: the same rule in both"
            )
        elif rule.replaces and _size(columns.get(own)) != _size(columns.get(other)):
            yield (
                f"{'.'.join(own)}: is of another type than {'.'.join(other)}, to which it refers (foreign key "
                f"{key.name}), so that {rule.shown} makes other values; allowed: keep in both"
            )


def _size(column: Column | None) -> tuple[object, ...]:
    return (column.base, column.length, column.digits) if column else ()

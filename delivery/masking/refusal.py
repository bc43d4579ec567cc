"""What looks personal and is named by no rule, in one list: nothing is refreshed before each of it was decided."""

from collections.abc import Iterable

from delivery.counting import counted
from delivery.errors import Rejected
from delivery.masking.columns import Catalog, Column, Sign
from delivery.masking.fitting import suggested
from delivery.masking.names import personal_name
from delivery.masking.plan import Plan
from delivery.spec.masking import Masking


def check_named(plan: Plan, masking: Masking, catalog: Catalog, signs: Iterable[Sign], *, what: str) -> None:
    """Return when everything of `what`, a backup, that looks personal is named in the masking file.

    Raises Rejected otherwise, with all of it, why it looks personal, and what to write.
    """
    seen = tuple(signs)
    lines, written = [], []
    table = ""
    for column in plan.unnamed(catalog):
        if reasons := _reasons(column, seen):
            lines.append(f"{column.table}.{column.name}: {'; '.join(reasons)}")
            written += [f"  {column.table}:", "    columns:"] if column.table != table else []
            table = column.table
            written.append(f"      {column.name}: {suggested(column, personal_name(column))}")
    body = ["tables:", *written] if written else []
    if catalog.large_objects and masking.large_objects is None:
        lines.append(f"{counted(catalog.large_objects, 'large object')}: nobody can look into them")
        body.append("large_objects: empty")
    for key, answer, choice in (
        ("comments", masking.comments, "drop"),
        ("definitions", masking.definitions, "keep"),
    ):
        found = [one for one in seen if one.definition and _is_comment(one) == (key == "comments")]
        if found and answer is None:
            lines += [f"{one.definition}: holds {one.why}" for one in found]
            body.append(f"{key}: {choice}")
    if lines:
        told = "\n  ".join(lines)
        text = "\n    ".join(body)
        raise Rejected(
            f"{what} was not masked, and nothing was changed: {masking.file} does not say what becomes of\n  {told}\n"
            f"  next: write it into {masking.file}; `keep` is for what is not personal. A beginning:\n    {text}"
        )


def _reasons(column: Column, seen: Iterable[Sign]) -> list[str]:
    word = personal_name(column)
    reasons = [f"its name says {word}"] if word else []
    if column.family == "bytes":
        reasons.append("nobody can look into bytes")
    if column.family == "address" and not word:
        reasons.append(f"{column.type} is the address of somebody's machine")
    for one in seen:
        if (one.table, one.column) == column.place:
            reasons.append(f"{counted(one.count, 'value')} {'holds' if one.count == 1 else 'hold'} {one.why}")
    return reasons


def _is_comment(sign: Sign) -> bool:
    return sign.definition.startswith("comment on ")

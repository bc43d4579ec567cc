"""What is wrong with the files of a migration tool that is known, found before any database is touched."""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from delivery.spec.app import App
from delivery.spec.database import Migration

_VERSION = re.compile(r"V([0-9][0-9._]*)__.+\.sql")
_REPEATABLE = re.compile(r"R__.+\.sql")


def migration_problems(migrate: Migration, folder: Path) -> Iterator[str]:
    """Yield a line for what a tool would refuse: no files at all, two heads, a version twice, a text that is none."""
    if migrate.tool not in _CHECKS or not migrate.folders:
        return
    found = [path for one in migrate.folders for path in sorted((folder / one).rglob("*")) if path.is_file()]
    texts = [path for path in found if path.suffix in (".sql", ".py", ".xml", ".yaml", ".yml", ".json")]
    places = ", ".join(migrate.folders)
    broken = [(path, why) for path in texts if (why := _not_text(path))]
    for path, why in broken:
        yield f"database.migrate.files: {path.relative_to(folder)} is not UTF-8 ({why})"
    if not broken:
        yield from (f"database.migrate.files: {places}: {one}" for one in _CHECKS[migrate.tool](texts))


def migration_advice(app: App) -> Iterator[str]:
    """Yield a line where nothing says which files the migrations are: they are known by their image alone."""
    migrate = app.database.migrate if app.database else None
    if migrate is None or migrate.folders or not migrate.rehearsal.enabled:
        return
    found = f"every release with another image {migrate.image} is rehearsed, whether it migrates otherwise or not"
    if migrate.image not in app.images:
        found = f"nothing is rehearsed while it is {migrate.image}, whatever that image holds by then"
    yield f"database.migrate.files is left out: {found}; name the folder of the migrations"


def _not_text(path: Path) -> str:
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError as error:
        return f"{error.reason} at byte {error.start}"
    return ""


def _alembic(files: list[Path]) -> Iterator[str]:
    before: dict[str, tuple[str, ...]] = {}
    for path in files:
        if path.suffix == ".py" and (told := _assigned(path)).get("revision"):
            name, after = str(told["revision"]), told.get("down_revision")
            if name in before:
                yield f"revision {name} is there twice; allowed: once"
            before[name] = tuple(map(str, after)) if isinstance(after, tuple | list) else (str(after),) if after else ()
    heads = sorted(set(before) - {one for names in before.values() for one in names})
    if not before:
        yield "no revision is in it; allowed: files that say `revision` and `down_revision`"
    elif len(heads) > 1:
        yield f"has {len(heads)} heads: {', '.join(heads)}; allowed: one\n  next: alembic merge heads"


def revision_of(path: Path) -> str:
    """Return the revision that a file of Alembic is; empty for one that is none."""
    return str(_assigned(path).get("revision") or "") if path.suffix == ".py" else ""


def flyway_version(name: str) -> str:
    """Return the version of `V3_1__text.sql` as Flyway tells it, `3.1`; empty for what has none."""
    told = _VERSION.fullmatch(name)
    return told[1].replace("_", ".") if told else ""


def _assigned(path: Path) -> dict[str, object]:
    """Return what a module says of its revision; nothing of one that is no Python."""
    try:
        tree = ast.parse(path.read_bytes())  # it may begin with a mark of its byte order
    except (SyntaxError, ValueError):
        return {}
    found: dict[str, object] = {}
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if not targets or not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        try:
            value = ast.literal_eval(node.value)
        except ValueError:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                found[target.id] = value
            elif isinstance(target, ast.Tuple) and isinstance(value, tuple):
                found |= {
                    one.id: each for one, each in zip(target.elts, value, strict=False) if isinstance(one, ast.Name)
                }
    return found


def _flyway(files: list[Path]) -> Iterator[str]:
    versions: dict[tuple[int, ...], list[str]] = defaultdict(list)
    repeatable = [path for path in files if _REPEATABLE.fullmatch(path.name)]
    for path in files:
        if told := _VERSION.fullmatch(path.name):
            numbers = [int(one) for one in re.split(r"[._]", told[1]) if one]
            while len(numbers) > 1 and not numbers[-1]:
                numbers.pop()  # 3 and 3.0 are the same to Flyway
            versions[tuple(numbers)].append(path.name)
    if not versions and not repeatable:
        yield "no migration is in it; allowed: files like V1__make_accounts.sql and R__views.sql"
    for names in versions.values():
        if len(names) > 1:
            yield f"a version is there {len(names)} times: {', '.join(names)}; allowed: once"


def _liquibase(files: list[Path]) -> Iterator[str]:
    if not files:
        yield "no change log is in it; allowed: files of SQL, XML, YAML or JSON"


_CHECKS: dict[str, Callable[[list[Path]], Iterator[str]]] = {
    "alembic": _alembic,
    "flyway": _flyway,
    "liquibase": _liquibase,
}

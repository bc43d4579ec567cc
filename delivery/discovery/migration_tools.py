"""Which tool brings a database's schema up to date, told by the files it leaves in a folder."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from delivery.discovery.contents import Build
from delivery.discovery.dockerfiles import Stage
from delivery.discovery.examples import prisma_schema
from delivery.discovery.folders import any_file, below, is_file, is_folder, read, walk
from delivery.discovery.installs import has_node_tool, has_python_tool
from delivery.discovery.packages import node_package, python_names, toml_of
from delivery.discovery.shapes import inner

_SCRIPTS = (
    *(
        "db:migrate:deploy",
        "migrate:deploy",
        "migrate:prod",
        "migrate:up",
        "db:migrate",
        "migrate:latest",
        "migration:run",
    ),
    *("migrations:run", "migrate:run", "db:migrate:up", "migrate-up", "migrate"),
)
_DEVELOPMENT = re.compile(r"migrate\s+dev|migration:(create|generate)|db\s+push|make-migration|--name\b")


@dataclass(frozen=True)
class FoundMigration:
    """A migration tool in a folder; `holds` says whether a stage can run it."""

    folder: Path  # where the command is run
    mark: Path  # the file it was told by
    command: list[str]
    files: tuple[Path, ...]
    holds: Callable[[Build, Stage], bool]
    python: bool = False


def migrations_of(project: Path) -> Iterator[FoundMigration]:
    """Yield the migration tools of a folder, those with a command of their own before scripts."""
    for find in (_alembic, _django, _prisma, _knex, _node_programs, _rails, _laravel, _scripts, _sql_programs):
        if found := find(project):
            yield found


def _alembic(project: Path) -> FoundMigration | None:
    ini = any_file(project, "alembic.ini", depth=3)
    if ini is None:
        table = inner(toml_of(project / "pyproject.toml"), "tool", "alembic")
        if not isinstance(table, dict):
            return None
        place = project / str(table.get("script_location", "alembic")).replace("%(here)s/", "")
        return _python(project, project / "pyproject.toml", ["alembic", "upgrade", "head"], _versions(place), "alembic")
    if python_names(project, "flask-migrate") or is_file(ini.parent / "env.py"):
        words = ["flask", "db", "upgrade"]
        directory = below(ini.parent, project)
        words += [] if directory == "migrations" else ["-d", str(directory)]
        return _python(project, ini, words, _versions(ini.parent), "flask-migrate")
    told = re.search(r"^\s*script_location\s*=\s*(\S+)", read(ini), re.MULTILINE)
    location = (told[1] if told else "alembic").replace("%(here)s/", "").replace(":", "/")
    run_in = next((one for one in (ini.parent, project) if is_folder(one / location)), ini.parent)
    option = [] if ini.parent == run_in else ["-c", str(below(ini, run_in))]
    return _python(
        run_in, ini, ["alembic", *option, "upgrade", "head"], _versions(run_in / location), "alembic", project
    )


def _versions(place: Path) -> tuple[Path, ...]:
    return tuple(one for one in (place / "versions", place) if is_folder(one))[:1]


def _django(project: Path) -> FoundMigration | None:
    manage = any_file(project, "manage.py", depth=2)
    if manage is None or ("django" not in read(manage).lower() and not python_names(project, "django")):
        return None
    found = [
        path.parent for path in walk(manage.parent, 4) if path.parent.name == "migrations" and path.name.startswith("0")
    ]
    words = ["python", "manage.py", "migrate", "--noinput"]
    return _python(manage.parent, manage, words, tuple(dict.fromkeys(found)), "django", project)


def _python(
    folder: Path, mark: Path, command: list[str], files: tuple[Path, ...], package: str, project: Path | None = None
) -> FoundMigration:
    def holds(build: Build, stage: Stage) -> bool:
        return any(has_python_tool(build, stage, one, package) for one in dict.fromkeys((project or folder, folder)))

    return FoundMigration(folder, mark, command, files, holds, python=True)


def _prisma(project: Path) -> FoundMigration | None:
    schema = prisma_schema(project)
    if schema is None or not is_folder(schema.parent / "migrations"):
        return None
    return _node(project, schema, ["npx", "prisma", "migrate", "deploy"], (schema.parent / "migrations",), "prisma")


def _knex(project: Path) -> FoundMigration | None:
    mark = next((path for path in walk(project, 2) if re.match(r"knexfile\.(js|cjs|mjs|ts)$", path.name)), None)
    if mark is None or not node_package(project).has("knex"):
        return None
    told = re.search(r"migrations\s*:\s*\{[^}]*?directory\s*:\s*[^\n,]*?[\"'`]([\w./-]+)[\"'`]", read(mark), re.DOTALL)
    files = [mark.parent / (told[1] if told else "migrations")]
    option = [] if mark.parent == project and mark.suffix == ".js" else ["--knexfile", str(below(mark, project))]
    found = _node(project, mark, ["npx", "knex", "migrate:latest", *option], tuple(filter(is_folder, files)), "knex")
    if mark.suffix == ".ts":
        loader = next((one for one in ("tsx", "ts-node") if node_package(project).has(one)), "ts-node")
        return FoundMigration(project, mark, found.command, found.files, _both(found.holds, project, loader))
    return found


def _both(holds: Callable[[Build, Stage], bool], project: Path, package: str) -> Callable[[Build, Stage], bool]:
    return lambda build, stage: holds(build, stage) and has_node_tool(build, stage, project, package)


def _node_programs(project: Path) -> FoundMigration | None:
    """Return Sequelize, Drizzle or node-pg-migrate, each told by its package and its folder of migrations."""
    package = node_package(project)
    for name, words, places in (
        (
            "sequelize-cli",
            ["npx", "sequelize-cli", "db:migrate"],
            ("migrations", "src/migrations", "db/migrations", "database/migrations"),
        ),
        (
            "drizzle-kit",
            ["npx", "drizzle-kit", "migrate"],
            ("drizzle", "src/db/migrations", "migrations", "drizzle/migrations"),
        ),
        ("node-pg-migrate", ["npx", "node-pg-migrate", "up"], ("migrations",)),
    ):
        folder = next((project / place for place in places if is_folder(project / place)), None)
        if package.has(name) and folder:
            return _node(project, project / "package.json", words, (folder,), name)
    return None


def _node(project: Path, mark: Path, command: list[str], files: tuple[Path, ...], package: str) -> FoundMigration:
    def holds(build: Build, stage: Stage) -> bool:
        where = below(mark, build.context)
        return has_node_tool(build, stage, project, package) and where is not None and build.holds(stage, where)

    return FoundMigration(project, mark, command, files, holds)


def _rails(project: Path) -> FoundMigration | None:
    if not is_folder(project / "db/migrate") or not is_file(project / "bin/rails"):
        return None
    return _by_files(project, project / "bin/rails", ["bin/rails", "db:migrate"], (project / "db/migrate",))


def _laravel(project: Path) -> FoundMigration | None:
    if not is_file(project / "artisan") or not is_folder(project / "database/migrations"):
        return None
    words = ["php", "artisan", "migrate", "--force"]
    return _by_files(project, project / "artisan", words, (project / "database/migrations",))


def _scripts(project: Path) -> FoundMigration | None:
    """Return what package.json calls a migration; what its program needs must be in the image."""
    package = node_package(project)
    name = next(
        (one for one in _SCRIPTS if package.scripts.get(one) and not _DEVELOPMENT.search(package.scripts[one])), None
    )
    if name is None:
        return None
    words = re.findall(r"[\w@/.:-]+", package.scripts[name])
    needed = [one for one in words if package.has(one)]
    needed += (
        ["ts-node"]
        if any(word.startswith(("ts-node", "typeorm-ts-node")) for word in words) and "ts-node" not in needed
        else []
    )
    needed += ["typeorm"] if any(word.startswith("typeorm") for word in words) and "typeorm" not in needed else []
    scripts = [project / word for word in words if re.search(r"\.(js|mjs|cjs|ts)$", word)]
    places = ("migrations", "src/migrations", "db/migrations", "database/migrations", "src/database/migrations", "sql")

    def holds(build: Build, stage: Stage) -> bool:
        files = [below(path, build.context) for path in scripts if is_file(path)]
        return all(has_node_tool(build, stage, project, one) for one in needed) and all(
            file is not None and build.holds(stage, file) for file in files
        )

    files = tuple(project / place for place in places if is_folder(project / place))[:1]
    return FoundMigration(project, project / "package.json", ["npm", "run", name], files, holds)


def _sql_programs(project: Path) -> FoundMigration | None:
    """Return golang-migrate, goose or dbmate, where a Dockerfile puts the program into the image."""
    sample = any_file(project, "*.up.sql", depth=4) or any_file(project, "*.sql", depth=4)
    folder = (
        sample.parent
        if sample and re.search(r"migrat", sample.parent.as_posix().rpartition(project.as_posix())[2])
        else None
    )
    if folder is None or sample is None:
        return None
    where = below(folder, project) or "migrations"
    programs = {
        "goose": f'goose -dir {where} postgres "$DATABASE_URL" up',
        "dbmate": f"dbmate --migrations-dir {where} --no-dump-schema up",
        "migrate": f'migrate -path {where} -database "$DATABASE_URL?sslmode=disable" up',
    }
    text = read(sample)
    name = (
        "migrate"
        if sample.name.endswith(".up.sql")
        else "goose"
        if "+goose" in text
        else "dbmate"
        if "migrate:up" in text
        else ""
    )
    if not name:
        return None

    def holds(build: Build, stage: Stage) -> bool:
        mark = below(sample, build.context)
        told = [f"{one.value} {one.options.get('from', '')}" for one in build.file.instructions(stage)]
        program = rf"/{name}:|/{name}\b(?!/)(?!s)|\b{name}@|golang-migrate"
        return mark is not None and build.holds(stage, mark) and any(re.search(program, one) for one in told)

    return FoundMigration(project, sample, ["sh", "-c", programs[name]], (folder,), holds)


def _by_files(project: Path, mark: Path, command: list[str], files: tuple[Path, ...]) -> FoundMigration:
    """Return a tool that is where its own program is."""

    def holds(build: Build, stage: Stage) -> bool:
        where = below(mark, build.context)
        return where is not None and build.holds(stage, where)

    return FoundMigration(project, mark, command, files, holds)

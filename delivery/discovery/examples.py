"""What is known of an application without a Compose file that says it: its dependencies, and its `.env.example`."""

import re
from pathlib import Path

from delivery.discovery.composition import Composition
from delivery.discovery.draft import Draft
from delivery.discovery.environment import Surroundings, translate
from delivery.discovery.folders import below, is_file, read
from delivery.discovery.interpolation import example_of
from delivery.discovery.packages import depends_on, node_package
from delivery.discovery.roles import is_other_database
from delivery.discovery.services import Part

_POSTGRES_DRIVERS = (
    *(
        "psycopg",
        "psycopg2",
        "psycopg2-binary",
        "psycopg-binary",
        "asyncpg",
        "pg8000",
        "aiopg",
        "pg",
        "postgres",
        "pg-promise",
    ),
    *(
        "@prisma/adapter-pg",
        "org.postgresql",
        "r2dbc-postgresql",
        "Npgsql",
        "Npgsql.EntityFrameworkCore.PostgreSQL",
        "postgrex",
    ),
    *(
        "github.com/lib/pq",
        "github.com/jackc/pgx",
        "gorm.io/driver/postgres",
        "tokio-postgres",
        "ext-pdo_pgsql",
        "ext-pgsql",
    ),
)
_OTHER_DRIVERS = (
    *(
        "mysql",
        "mysql2",
        "mariadb",
        "mysqlclient",
        "pymysql",
        "aiomysql",
        "asyncmy",
        "mysql-connector-python",
        "mysql-connector-j",
    ),
    *(
        "sqlite3",
        "better-sqlite3",
        "aiosqlite",
        "mssql",
        "tedious",
        "pyodbc",
        "github.com/mattn/go-sqlite3",
        "modernc.org/sqlite",
    ),
    *(
        "github.com/go-sql-driver/mysql",
        "gorm.io/driver/sqlite",
        "gorm.io/driver/mysql",
        "libsql",
        "@libsql/client",
        "cx_oracle",
    ),
)
_PROVIDER = re.compile(r"datasource\s+\w+\s*\{[^}]*?provider\s*=\s*\"(\w+)\"", re.DOTALL)
_PLACEHOLDERS = re.compile(r"^$|your|change|xxx|<.*>|\.\.\.|example|replace|todo|placeholder", re.IGNORECASE)


def prisma_schema(project: Path) -> Path | None:
    """Return where Prisma's schema lies."""
    told = node_package(project).keys.get("prisma")
    named = told.get("schema") if isinstance(told, dict) else None
    places = [named] if isinstance(named, str) and "\0" not in named else []
    paths = [
        project / place for place in (*places, "prisma/schema.prisma", "schema.prisma", "src/prisma/schema.prisma")
    ]
    return next((path for path in paths if is_file(path) and below(path, project)), None)


def guess_database(parts: list[Part], found: Composition | None, root: Path, draft: Draft) -> None:
    """Write a database where the application's dependencies know no other engine than PostgreSQL."""
    if found and any(is_other_database(service) for service in found.services.values()):
        return
    for part in parts:
        project, context = part.image.project, part.image.build.context
        schema = prisma_schema(project) or prisma_schema(context)
        provider = _PROVIDER.search(read(schema)) if schema else None
        if provider and provider[1] != "postgresql":
            draft.guess(f"no PostgreSQL database: {below(schema or root, root)} names {provider[1]}")
            return
        folders = dict.fromkeys((project, context))
        driver = (
            "prisma"
            if provider
            else next((name for one in folders if (name := depends_on(one, *_POSTGRES_DRIVERS))), None)
        )
        other = (
            None if provider else next((name for one in folders if (name := depends_on(one, *_OTHER_DRIVERS))), None)
        )
        if any("sqlite" in text for text in part.variables.env.values()):
            other = other or "sqlite"
        if driver and other:
            draft.decide(
                f"{part.name} depends on {driver} and on {other}: write `database: {{}}` if PostgreSQL is its database"
            )
        elif driver:
            draft.content["database"] = {}
            draft.guess(f"a PostgreSQL database, because {part.name} depends on {driver}; services get DATABASE_URL")
            return


def add_examples(parts: list[Part], root: Path, draft: Draft) -> None:
    """Say which variables the application's example file names; those of the database are written."""
    told: set[Path] = set()
    for part in parts:
        folders = dict.fromkeys((part.image.project, part.image.build.context, root))
        variables, path = next((one for folder in folders if (one := example_of(folder))[1]), ({}, None))
        if path is None:
            continue
        has_database = "database" in draft.content
        found = translate(variables, Surroundings(machine_is_database=has_database))
        if of_database := {
            key: text for key, text in found.of_database.items() if text != "${database.url}" or key != "DATABASE_URL"
        }:
            part.content["env"] = of_database | part.content.get("env", {})
            draft.guess(f"{', '.join(of_database)} of {part.name} is the database's, as {below(path, root)} names it")
        port = variables.get("PORT", "")
        if (
            "port" not in part.content
            and len(parts) == 1
            and port.isascii()
            and port.isdigit()
            and 0 < int(port[:6]) < 65536
        ):
            part.content["port"] = int(port)
            part.content["env"] = {"PORT": port} | part.content.get("env", {})
            draft.guess(f"{part.name} listens on {port}, which {below(path, root)} says")
        if path in told:
            continue
        told.add(path)
        known = {*part.content.get("env", {}), *found.of_database, "PORT", *part.variables.env}
        secrets = [key for key in found.secrets if key not in known]
        settings = [key for key in variables if key not in known and key not in secrets]
        _say(part, below(path, root) or path.name, secrets, settings, variables, draft)


def _say(
    part: Part, where: str, secrets: list[str], settings: list[str], variables: dict[str, str], draft: Draft
) -> None:
    if secrets:
        part.variables.secrets += [key for key in secrets if key not in part.variables.secrets]
    if settings:
        shown = [
            f"{key}={variables[key]}" if not _PLACEHOLDERS.search(variables[key]) else key for key in settings[:12]
        ]
        more = f" and {len(settings) - 12} more" if len(settings) > 12 else ""
        draft.decide(
            f"{where} also names {', '.join(shown)}{more}: write what {part.name} needs under services.{part.name}.env"
        )

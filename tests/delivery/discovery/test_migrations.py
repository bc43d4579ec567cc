"""Migrations of every kind are found, and run in an image that holds tool and files."""

from pathlib import Path

import pytest

from delivery.discovery.migrations import TAKES_SEVERAL
from tests.delivery.discovery.repository import POSTGRES, guess, package

PYTHON = "FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\nEXPOSE 80\nCMD serve\n"
NODE = "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nEXPOSE 80\nCMD node .\n"
COMPOSE = f"services:\n{POSTGRES}"
SCRIPT = {"migrate:up": "node scripts/migrate.js", "migrate": "prisma migrate dev"}


@pytest.mark.parametrize(
    ("dockerfile", "files", "command", "folder"),
    [
        (
            PYTHON,
            {"requirements.txt": "alembic\n", "alembic.ini": "script_location = db\n", "db/versions/1.py": ""},
            ["alembic", "upgrade", "head"],
            "db/versions",
        ),
        (
            PYTHON,
            {
                "requirements.txt": "alembic\n",
                "src/alembic.ini": "script_location = src/mig\n",
                "src/mig/versions/1.py": "",
            },
            ["alembic", "-c", "src/alembic.ini", "upgrade", "head"],
            "src/mig/versions",
        ),
        (
            PYTHON,
            {
                "requirements.txt": "alembic\n",
                "db/alembic.ini": "script_location = %(here)s/m\n",
                "db/m/versions/1.py": "",
            },
            ["sh", "-c", "cd db && exec alembic upgrade head"],
            "db/m/versions",
        ),
        (
            PYTHON.replace("pip install -r requirements.txt", "uv sync --no-dev"),
            {
                "pyproject.toml": "[project]\ndependencies = ['alembic']\n[tool.alembic]\nscript_location = 'm'\n",
                "m/env.py": "",
            },
            ["uv", "run", "--no-sync", "alembic", "upgrade", "head"],
            "m",
        ),
        (
            PYTHON,
            {"requirements.txt": "Flask-Migrate\n", "migrations/alembic.ini": "", "migrations/versions/1.py": ""},
            ["flask", "db", "upgrade"],
            "migrations/versions",
        ),
        (
            PYTHON,
            {"requirements.txt": "Django\n", "manage.py": "import django", "shop/migrations/0001_x.py": ""},
            ["python", "manage.py", "migrate", "--noinput"],
            "shop/migrations",
        ),
        (
            NODE,
            {"package.json": package(dev=["prisma"]), "prisma/schema.prisma": "", "prisma/migrations/1/m.sql": ""},
            ["npx", "prisma", "migrate", "deploy"],
            "prisma/migrations",
        ),
        (
            NODE,
            {
                "package.json": package(deps=["prisma"], prisma={"schema": "db/schema.prisma"}),
                "db/schema.prisma": "",
                "db/migrations/1/m.sql": "",
            },
            ["npx", "prisma", "migrate", "deploy"],
            "db/migrations",
        ),
        (
            NODE,
            {
                "package.json": package(deps=["knex"]),
                "knexfile.cjs": "migrations: { tableName: 'x', directory: './db/steps' }",
                "db/steps/1.js": "",
            },
            ["npx", "knex", "migrate:latest", "--knexfile", "knexfile.cjs"],
            "db/steps",
        ),
        (
            NODE,
            {"package.json": package(deps=["knex"]), "knexfile.js": "", "migrations/1.js": ""},
            ["npx", "knex", "migrate:latest"],
            "migrations",
        ),
        (
            NODE,
            {"package.json": package(dev=["sequelize-cli"]), "src/migrations/1.js": ""},
            ["npx", "sequelize-cli", "db:migrate"],
            "src/migrations",
        ),
        (
            NODE,
            {"package.json": package(deps=["drizzle-kit"]), "drizzle/0.sql": ""},
            ["npx", "drizzle-kit", "migrate"],
            "drizzle",
        ),
        (
            NODE,
            {"package.json": package(deps=["node-pg-migrate"]), "migrations/1.sql": ""},
            ["npx", "node-pg-migrate", "up"],
            "migrations",
        ),
        (
            NODE,
            {"package.json": package(scripts=SCRIPT), "scripts/migrate.js": "", "sql/1.sql": ""},
            ["npm", "run", "migrate:up"],
            "sql",
        ),
        (
            "FROM ruby\nWORKDIR /app\nCOPY . .\nEXPOSE 80\nCMD x\n",
            {"bin/rails": "", "db/migrate/1.rb": ""},
            ["bin/rails", "db:migrate"],
            "db/migrate",
        ),
        (
            "FROM php:8-apache\nWORKDIR /app\nCOPY . .\nEXPOSE 80\n",
            {"artisan": "", "database/migrations/1.php": ""},
            ["php", "artisan", "migrate", "--force"],
            "database/migrations",
        ),
        (
            "FROM alpine\nWORKDIR /app\nCOPY --from=migrate/migrate /migrate /usr/bin/migrate\nCOPY . .\nEXPOSE 80\n",
            {"migrations/1.down.sql": "", "migrations/1.up.sql": ""},
            ["sh", "-c", 'migrate -path migrations -database "$DATABASE_URL?sslmode=disable" up'],
            "migrations",
        ),
        (
            "FROM alpine\nRUN wget -O /bin/goose x\nWORKDIR /app\nCOPY . .\nEXPOSE 80\n",
            {"db/migrations/1.sql": "-- +goose Up\n"},
            ["sh", "-c", 'goose -dir db/migrations postgres "$DATABASE_URL" up'],
            "db/migrations",
        ),
    ],
)
def test_a_migration_tool_is_known_by_its_files(
    tmp_path: Path, dockerfile: str, files: dict[str, str], command: list[str], folder: str
) -> None:
    found = guess(tmp_path, {"Dockerfile": dockerfile, "compose.yaml": COMPOSE, **files})
    assert found.app.database
    assert found.app.database.migrate
    migrate = found.app.database.migrate
    assert (migrate.image, migrate.command, found.draft.content["database"]["migrate"]["files"]) == (
        "web",
        command,
        folder,
    )


def test_a_tool_in_a_folder_of_its_own_runs_there(tmp_path: Path) -> None:
    files = {"backend/requirements.txt": "alembic\n", "backend/alembic.ini": "", "backend/alembic/versions/1.py": ""}
    dockerfile = "FROM python\nWORKDIR /app\nCOPY . .\nRUN pip install -r backend/requirements.txt\nEXPOSE 80\nCMD x\n"
    found = guess(tmp_path, {"Dockerfile": dockerfile, "compose.yaml": COMPOSE, **files})
    assert found.app.database
    assert found.app.database.migrate
    assert found.app.database.migrate.command == ["sh", "-c", "cd backend && exec alembic upgrade head"]


def test_a_tool_that_is_not_released_runs_in_an_image_of_its_stage(tmp_path: Path) -> None:
    dockerfile = """
FROM node:22 AS build
WORKDIR /app
COPY . .
RUN npm ci
FROM node:22-slim
COPY --from=build /app/dist /app/dist
EXPOSE 80
CMD node /app/dist
"""
    files = {"package.json": package(dev=["prisma"]), "prisma/schema.prisma": "", "prisma/migrations/1/m.sql": ""}
    found = guess(tmp_path, {"Dockerfile": dockerfile, "compose.yaml": COMPOSE, **files})
    assert found.app.database
    assert found.app.database.migrate
    assert (found.app.database.migrate.image, found.app.images["web-migrate"].target) == ("web-migrate", "build")


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM node:22-slim\nCOPY dist /app\nEXPOSE 80\nCMD node /app\n",
        "FROM node:22\nCOPY . .\nRUN npm ci --omit=dev\nEXPOSE 80\nCMD node .\n",
    ],
)
def test_a_tool_that_is_in_no_stage_is_pointed_out(tmp_path: Path, dockerfile: str) -> None:
    files = {"package.json": package(dev=["prisma"]), "prisma/schema.prisma": "", "prisma/migrations/1/m.sql": ""}
    found = guess(tmp_path, {"Dockerfile": dockerfile, "compose.yaml": COMPOSE, "dist/a": "", **files})
    assert found.app.database
    assert found.app.database.migrate is None
    assert "migrate: {image: web, command: [npx, prisma, migrate, deploy]}" in found.decisions


def test_several_folders_of_migrations_are_all_named(tmp_path: Path) -> None:
    files = {"requirements.txt": "django\n", "manage.py": "import django", "compose.yaml": COMPOSE}
    files |= {f"{app}/migrations/0001_a.py": "" for app in ("cart", "users")}
    found = guess(tmp_path, {"Dockerfile": PYTHON, **files})
    named = str(found.draft.content["database"]["migrate"].get("files")) if TAKES_SEVERAL else found.guesses
    assert "cart/migrations" in named
    assert "users/migrations" in named


def test_migrations_of_an_unknown_tool_are_pointed_out(tmp_path: Path) -> None:
    found = guess(tmp_path, {"Dockerfile": PYTHON, "compose.yaml": COMPOSE, "migrations/1.sql": "select 1"})
    assert found.app.database
    assert found.app.database.migrate is None
    assert "migrations holds migrations; write under database.migrate what runs them" in found.decisions


def test_spring_migrates_by_itself(tmp_path: Path) -> None:
    files = {"src/main/resources/db/migration/V1__a.sql": "", "pom.xml": "", "Dockerfile": "FROM java\nCOPY . .\n"}
    assert "web migrates the database itself" in guess(tmp_path, files | {"compose.yaml": COMPOSE}).guesses


@pytest.mark.parametrize(
    "service",
    [
        "  migrate: {build: ., command: ./up.sh now, depends_on: [db]}\n",
        "  db-migrations: {build: ., command: ./up.sh now}\n",
        "  prestart: {build: ., command: ./up.sh now}\n",
        "  migrator: {image: shop, command: ./up.sh now}\n",
    ],
)
def test_a_service_that_migrates_and_ends_is_the_migration(tmp_path: Path, service: str) -> None:
    env = "{DB_HOST: db, MODE: x, SECRET_KEY: a9b8}"
    web = f"  web: {{build: ., image: shop, ports: ['80'], depends_on: [migrate], environment: {env}}}\n"
    compose = f"services:\n{web}{service.replace('build: .,', f'build: ., environment: {env},')}{POSTGRES}"
    found = guess(tmp_path, {"Dockerfile": "FROM python\n", "compose.yaml": compose, "migrations/1.sql": ""})
    assert list(found.app.services) == ["web"]
    assert found.app.services["web"].needs == ()
    assert found.app.database
    assert found.app.database.migrate
    migrate = found.app.database.migrate
    assert (migrate.image, migrate.command) == ("web", ["./up.sh", "now"])
    assert found.draft.content["database"]["migrate"]["files"] == "migrations"
    assert migrate.env == ({} if "image:" in service else {"DB_HOST": "${database.host}", "MODE": "x"})


def test_a_service_that_others_wait_for_is_a_migration_when_it_says_so(tmp_path: Path) -> None:
    wait = "depends_on: {init: {condition: service_completed_successfully}}"
    once = "  init: {build: ., command: sh -c 'alembic upgrade head'}\n"
    found = guess(
        tmp_path,
        {
            "Dockerfile": "FROM python\n",
            "compose.yaml": f"services:\n  web: {{build: ., ports: ['80'], {wait}}}\n{once}{POSTGRES}",
        },
    )
    assert found.app.database
    assert found.app.database.migrate
    assert found.app.database.migrate.command == ["sh", "-c", "alembic upgrade head"]


def test_a_migration_of_an_image_of_its_own_is_built(tmp_path: Path) -> None:
    compose = f"services:\n  web: {{build: ., ports: ['80']}}\n  migrate: {{build: db}}\n{POSTGRES}"
    found = guess(tmp_path, {"Dockerfile": "FROM python\n", "db/Dockerfile": "FROM alpine\n", "compose.yaml": compose})
    assert found.app.database
    assert found.app.database.migrate
    assert (found.app.database.migrate.image, found.app.images["migrate"].context) == ("migrate", "db")


def test_a_migration_with_files_of_the_machine_is_pointed_out(tmp_path: Path) -> None:
    flyway = "  flyway: {image: 'flyway/flyway:10', command: migrate, volumes: ['./sql:/flyway/sql']}\n"
    compose = f"services:\n  web: {{build: ., ports: ['80']}}\n{flyway}{POSTGRES}"
    found = guess(tmp_path, {"Dockerfile": "FROM python\n", "compose.yaml": compose})
    assert "flyway in compose.yaml migrates with files that are mounted from the machine" in found.decisions


def test_an_application_without_a_database_is_not_migrated(tmp_path: Path) -> None:
    files = {"requirements.txt": "alembic\n", "alembic.ini": "", "alembic/versions/1.py": ""}
    assert guess(tmp_path, {"Dockerfile": PYTHON, **files}).app.database is None

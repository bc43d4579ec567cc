"""A first headway.yaml is guessed from what lies in a folder, and Headway takes what it guessed."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.app import App
from delivery.configuration import check_files, load_app_text
from delivery.discovery import Draft, discover
from delivery.errors import Misconfigured

WEB = "FROM python:3.11-alpine\nEXPOSE 8000\nCMD serve\n"


def guess(folder: Path, **files: str) -> tuple[App, str]:
    """Write `files` (`__` for a slash), guess, and return what Headway reads in the guess, and the guesses."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml").replace("_json", ".json").replace(
            "_txt", ".txt"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    draft = discover(folder)
    app = load_app_text(draft.text)
    check_files(app, folder)
    return app, "\n".join(draft.guesses)


def test_one_dockerfile_is_enough(tmp_path: Path) -> None:
    app, guesses = guess(tmp_path / "My Shop", Dockerfile=WEB)
    assert (app.app, list(app.images), app.services["web"].port) == ("my-shop", ["web"], 8000)
    assert (app.routes(), list(app.environments)) == ({"/": "web"}, ["production"])
    assert "web listens on 8000, which Dockerfile exposes" in guesses


def test_a_dockerfile_without_a_port_still_makes_a_file(tmp_path: Path) -> None:
    app, guesses = guess(tmp_path, Dockerfile="FROM alpine\nEXPOSE $PORT 99999\n")
    assert app.services["web"].port == 8080
    assert "correct the port" in guesses


def test_the_health_check_tells_when_a_service_is_ready(tmp_path: Path) -> None:
    check = "HEALTHCHECK --interval=5s \\\n  CMD wget -q http://127.0.0.1:8000/healthz || exit 1\n"
    app, guesses = guess(tmp_path, Dockerfile=WEB + check)
    assert app.services["web"].health == "/healthz"
    assert "web is ready when /healthz answers 2xx" in guesses


def test_front_and_back_share_the_paths(tmp_path: Path) -> None:
    app, _ = guess(tmp_path, backend__Dockerfile=WEB, frontend__Dockerfile=WEB)
    assert app.routes() == {"/api": "backend", "/": "frontend"}
    assert app.images["backend"].context == "backend"


def test_three_services_get_paths_of_their_names(tmp_path: Path) -> None:
    app, _ = guess(tmp_path, web__Dockerfile=WEB, cart__Dockerfile=WEB, search__Dockerfile=WEB)
    assert app.routes() == {"/": "web", "/cart": "cart", "/search": "search"}


def test_dockerfiles_that_want_the_same_name_get_different_ones(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "Dockerfile").write_text(WEB)
    (tmp_path / "A" / "a.Dockerfile").write_text(WEB)
    app, _ = guess(tmp_path, a__Dockerfile=WEB)
    assert len(app.images) == 3


def test_a_compose_file_tells_database_and_what_is_kept(tmp_path: Path) -> None:
    compose = {
        "services": {
            "app": {"build": "."},
            "db": {"image": "postgres:${PG:-16}-alpine"},
            "Redis": {"image": "redis:7", "ports": ["127.0.0.1:${PORT:-6380}:6379/tcp"]},
            "mail": {"image": "mailpit", "ports": [{"target": 1025, "published": 1025}]},
            "queue": {"image": "nats", "ports": ["4000-4005"]},
            "web": {"image": "other/web"},
            "odd": None,
        }
    }
    app, guesses = guess(tmp_path, Dockerfile=WEB, compose_yaml=yaml.safe_dump(compose))
    assert app.database is not None
    assert app.database.image == "postgres:16-alpine"
    assert {name: part.port for name, part in app.backing.items()} == {"redis": 6379, "mail": 1025, "queue": 4000}
    assert "web in compose.yaml was left out: web is built from a Dockerfile" in guesses


@pytest.mark.parametrize(
    "text", ["", "- a", "services: [a]", "services: {a: b}", "services: [", "a: 2030-99-99", "[" * 2000]
)
def test_a_compose_file_that_says_nothing_is_left_out(tmp_path: Path, text: str) -> None:
    app, _ = guess(tmp_path, Dockerfile=WEB, compose_yaml=text)
    assert (app.backing, app.database) == ({}, None)


@pytest.mark.parametrize(
    ("files", "tool", "command"),
    [
        ({"package_json": json.dumps({"devDependencies": {"jest": "30"}})}, "jest", ["npx", "jest"]),
        ({"package_json": json.dumps({"scripts": {"test": "mocha"}})}, "command", ["npm", "test"]),
        ({"requirements_txt": "fastapi\npytest\n"}, "pytest", ["python", "-m", "pytest"]),
        ({"go.mod": "module shop\n"}, "command", ["go", "test", "./..."]),
    ],
)
def test_a_test_tool_becomes_a_suite(tmp_path: Path, files: dict[str, str], tool: str, command: list[str]) -> None:
    app, _ = guess(tmp_path, Dockerfile=WEB, **files)
    suite = app.suites["unit"]
    assert (suite.tool, suite.image, suite.command) == (tool, "web", command)


def test_a_build_stage_for_tests_is_used(tmp_path: Path) -> None:
    package = json.dumps({"devDependencies": {"jest": "30"}})
    staged = "FROM node:22 AS base\nFROM base AS test\nCMD npx jest\nFROM base\nEXPOSE 3000\n"
    app, guesses = guess(tmp_path, api__Dockerfile=staged, api__package_json=package)
    suite = app.suites["unit"]
    assert suite.build is not None
    assert (suite.build.context, suite.build.target, suite.command) == ("api", "test", None)
    assert "jest runs in the stage `test` of api/Dockerfile" in guesses


@pytest.mark.parametrize("text", ["", "[]", "{", '{"dependencies": [], "scripts": "x"}', '{"scripts": {"test": ""}}'])
def test_a_package_file_that_says_nothing_makes_no_suite(tmp_path: Path, text: str) -> None:
    app, _ = guess(tmp_path, Dockerfile=WEB, package_json=text)
    assert app.suites == {}


def test_each_folder_with_tests_has_a_suite(tmp_path: Path) -> None:
    named = {f"{folder}__requirements_txt": "pytest" for folder in ("api", "web")}
    app, _ = guess(tmp_path, api__Dockerfile=WEB, web__Dockerfile=WEB, **named)
    assert {name: suite.image for name, suite in app.suites.items()} == {"unit": "api", "unit-web": "web"}


POSTGRES = "services: {db: {image: 'postgres:15'}}"


@pytest.mark.parametrize(
    ("mark", "kept", "command"),
    [
        ("api__alembic.ini", "api__alembic__env.py", ["alembic", "upgrade", "head"]),
        ("api__manage.py", "api__migrations__1.py", ["python", "manage.py", "migrate"]),
        ("api__knexfile.js", "api__migrations__1.js", ["npx", "knex", "migrate:latest"]),
        ("api__prisma__migrations__1.sql", "api__prisma__migrations__2.sql", ["npx", "prisma", "migrate", "deploy"]),
    ],
)
def test_a_migration_tool_is_known_by_its_file(tmp_path: Path, mark: str, kept: str, command: list[str]) -> None:
    app, _ = guess(tmp_path, api__Dockerfile=WEB, compose_yaml=POSTGRES, **{mark: "", kept: ""})
    assert app.database is not None
    assert app.database.migrate is not None
    assert (app.database.migrate.image, app.database.migrate.command) == ("api", command)
    assert app.database.migrate.files == kept.rpartition("__")[0].replace("__", "/")


def test_migrations_of_an_unknown_tool_are_pointed_out(tmp_path: Path) -> None:
    app, guesses = guess(tmp_path, Dockerfile=WEB, compose_yaml=POSTGRES, **{"migrations__1.sql": ""})
    assert app.database is not None
    assert app.database.migrate is None
    assert "migrations holds migrations; say under database.migrate which image and command run them" in guesses


def test_a_folder_without_a_dockerfile_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"no Dockerfile was found.*\n  next: Headway releases images: write"):
        discover(tmp_path)


def test_dockerfiles_of_packages_tests_and_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    others = {f"{folder}__Dockerfile": WEB for folder in ("node_modules__x", "tests", ".github", "a__b__c")}
    app, _ = guess(tmp_path, Dockerfile=WEB, **others)
    assert list(app.images) == ["web"]


def test_every_guess_stands_in_the_file() -> None:
    draft = Draft({"app": "shop"}, ["the first", "one\nwith two lines"])
    assert "# guess: the first\n# guess: one with two lines\n" in draft.text


@settings(max_examples=40)
@given(st.dictionaries(st.text(max_size=9), st.recursive(st.none() | st.text(max_size=9), st.lists, max_leaves=3)))
def test_any_compose_file_is_read_or_left_out(tmp_path_factory: Any, services: dict[str, Any]) -> None:
    described = {name: {"image": str(value), "ports": value} for name, value in services.items()}
    compose = yaml.safe_dump({"services": described})
    app, _ = guess(tmp_path_factory.mktemp("folder"), Dockerfile=WEB, compose_yaml=compose)
    assert "web" in app.services

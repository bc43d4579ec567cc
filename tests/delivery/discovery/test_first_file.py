"""What is written is taken by `headway check`, whatever lies in the folder, and everything guessed is said in it."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delivery.discovery import Draft, discover
from delivery.errors import Misconfigured
from delivery.spec.configuration import check_files, load_app_text
from tests.delivery.discovery.corpus import CORPUS
from tests.delivery.discovery.repository import WEB, guess, write

KEYS = ["services", "build", "image", "command", "ports", "environment", "depends_on", "healthcheck", "test", "volumes"]
KEYS += ["extends", "include", "env_file", "deploy", "replicas", "profiles", "args", "context", "labels", "name", "db"]
WORDS = [
    "postgres",
    "redis:7",
    ".",
    "..",
    "80:80",
    "${A}",
    "${A:-${B}}",
    "$$",
    "db",
    "web",
    "service",
    "1m",
    "\0",
    "/",
    "[",
    "é",
]
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(WORDS)
VALUES = st.recursive(
    LEAVES,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), below, max_size=4)
    ),
    max_leaves=12,
)
SERVICES = st.dictionaries(st.sampled_from(["web", "db", "Redis", "a_b", "tests"]), VALUES, max_size=4)
ANYTHING = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", CORPUS)
def test_a_repository_like_those_of_strangers_gets_a_file_that_check_takes(tmp_path: Path, name: str) -> None:
    found = guess(tmp_path / name, CORPUS[name])
    assert found.app.routes()
    assert discover(tmp_path / name).text == found.draft.text


@pytest.mark.parametrize("name", CORPUS)
def test_no_secret_of_a_compose_file_gets_into_the_file(tmp_path: Path, name: str) -> None:
    services = guess(tmp_path / name, CORPUS[name]).app.services.values()
    values = [text for service in services for text in service.env.values()]
    assert not [text for text in values if text in ("abc", "secret", "changeme", "x9", "password")]


def test_everything_that_is_said_stands_in_the_file_as_a_comment() -> None:
    draft = Draft({"app": "shop"}, ["the first", "one\nwith\x85two lines"], ["mail"], ["a " * 150 + "\n  more"])
    text = draft.text
    assert "# guess: the first\n# guess: one\n#     with two lines\n# left out: mail\n# decide: " in text
    assert yaml.safe_load(text) == {"app": "shop"}


@ANYTHING
@given(SERVICES)
def test_any_services_of_a_compose_file_are_read_or_left_out(tmp_path_factory: Any, services: dict[str, Any]) -> None:
    text = yaml.safe_dump({"services": services}, allow_unicode=True)
    found = guess(tmp_path_factory.mktemp("folder"), {"Dockerfile": WEB, "compose.yaml": text})
    assert found.app.services


@ANYTHING
@given(VALUES)
def test_any_yaml_as_a_compose_file_leads_to_a_file_or_a_clear_error(tmp_path_factory: Any, content: Any) -> None:
    folder = write(tmp_path_factory.mktemp("folder"), {"Dockerfile": WEB, "compose.yaml": yaml.safe_dump(content)})
    with contextlib.suppress(Misconfigured):
        check_files(load_app_text(discover(folder).text), folder)


@ANYTHING
@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["FROM a AS b", "COPY --from=b . .", "RUN <<E", "EXPOSE $X", "ENV A", "\\"]))
)
def test_any_text_as_a_dockerfile_leads_to_a_file(tmp_path_factory: Any, lines: Any) -> None:
    text = lines if isinstance(lines, str) else "\n".join(lines)
    files = {
        "Dockerfile": text.encode(errors="replace").decode(),
        "requirements.txt": "pytest\npsycopg",
        "test_a.py": "",
    }
    assert guess(tmp_path_factory.mktemp("folder"), files).app.images


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "- a",
            "services: [a]",
            "services: {a: b}",
            "services: [",
            "a: 2030-99-99",
            "[" * 2000,
            "? [a]\n: b",
            "!!int x",
        ),
        *(
            "services: &a {web: *a}",
            "services: {web: {<<: 3}}",
            "services: {web: {extends: web}}",
            "include: [compose.yaml]",
        ),
        "services: {a: {extends: {service: b}}, b: {extends: {service: a}}}",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nservices: {web: {command: *c}}",
    ],
)
def test_a_compose_file_that_says_nothing_is_left_out(tmp_path: Path, text: str) -> None:
    found = guess(tmp_path, {"Dockerfile": WEB, "compose.yaml": text})
    assert (found.app.backing, found.app.database, list(found.app.services)) == ({}, None, ["web"])


@pytest.mark.parametrize(
    "name", ["package.json", "pyproject.toml", "requirements.txt", "Pipfile", "go.mod", ".env.example"]
)
@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[[[", '{"dependencies": [], "scripts": "x"}', "\x00", '{"prisma": 3}']
)
def test_a_manifest_that_cannot_be_read_does_no_harm(tmp_path: Path, name: str, text: str) -> None:
    assert guess(tmp_path, {"Dockerfile": WEB, name: text, "tests/test_a.py": "", "a.test.js": ""}).app.suites == {}

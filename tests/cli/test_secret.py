"""Secrets are set without standing in argv, a history or a log; who removes one is told who uses it."""

import io
import json
import sys
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from delivery.errors import Misconfigured, Rejected
from tests.cli.conftest import FILE, Headway, Project

NAMED = FILE.replace("staging: {", "staging: {secrets: {KEY: shop-key, PASSWORD: shop-password}, ")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The secrets of a server, by name."""
    kept: dict[str, str] = {}

    def keep(name: str, value: SecretStr) -> None:
        kept[name] = value.get_secret_value()

    monkeypatch.setattr("cli.secret.running", lambda: None)
    monkeypatch.setattr("tasks.secret_blocks.secret_names", lambda: sorted(kept))
    monkeypatch.setattr("tasks.secret_blocks.load_secret", kept.get)
    monkeypatch.setattr(
        "tasks.secret_blocks.save_secret", lambda name, value: kept.update({name: value.get_secret_value()})
    )
    monkeypatch.setattr("tasks.secret_blocks.remove_secret", kept.pop)
    monkeypatch.setattr("flows.secret_blocks.current_environments", list)
    return kept


def given(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.mark.parametrize(
    ("text", "kept"), [("hunter2\n", "hunter2"), ("a\nb\n", "a\nb"), (" x \r\n", " x "), ('{"a": 1}', '{"a": 1}')]
)
def test_a_value_comes_from_standard_input_as_it_is(
    headway: Headway, server: dict[str, str], monkeypatch: pytest.MonkeyPatch, text: str, kept: str
) -> None:
    given(monkeypatch, text)
    ended = headway("secret", "set", "shop-key")
    assert (ended.code, server) == (0, {"shop-key": kept})
    assert kept not in ended.out + ended.err


def test_at_a_terminal_it_is_asked_for_unseen(
    headway: Headway, server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    def prompt(text: str, **more: object) -> str:
        asked.update(more)
        return "hunter2"

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("typer.prompt", prompt)
    ended = headway("secret", "set", "shop-key")
    assert (ended.code, server) == (0, {"shop-key": "hunter2"})
    assert asked["hide_input"] is asked["confirmation_prompt"] is True


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_value_is_refused(
    headway: Headway, server: dict[str, str], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    given(monkeypatch, text)
    ended = headway("secret", "set", "shop-key")
    assert (ended.code, server) == (2, {})
    assert "secret shop-key: the value is empty" in ended.err


def test_a_value_is_never_taken_as_an_argument(headway: Headway, server: dict[str, str]) -> None:
    assert headway("secret", "set", "shop-key", "hunter2").code == 2
    assert server == {}


@pytest.mark.parametrize("name", ["Shop", "a_b", "a b", "ü"])
def test_a_name_that_the_server_would_refuse_is_told(headway: Headway, server: dict[str, str], name: str) -> None:
    ended = headway("secret", "set", name)
    assert (ended.code, server) == (2, {})
    assert "allowed: lower-case letters, digits, dashes" in ended.err


def test_the_list_says_who_uses_which_and_which_are_missing(
    headway: Headway, server: dict[str, str], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    server |= {"shop-key": "hunter2", "spare": "hunter3"}
    project.write("headway.yaml", NAMED)
    monkeypatch.chdir(project.folder)
    ended = headway("secret", "list")
    found = json.loads(headway("secret", "list", "--json").out)
    assert [(one["name"], one["is_there"], one["used_by"]) for one in found] == [
        ("shop-key", True, ["shop: environments.staging.secrets.KEY"]),
        ("shop-password", False, ["shop: environments.staging.secrets.PASSWORD"]),
        ("spare", True, []),
    ]
    assert "hunter" not in ended.out
    assert ended.err == "next: headway secret set shop-password\n"


def test_who_removes_one_is_told_who_uses_it_and_asked(
    headway: Headway, server: dict[str, str], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    server["shop-key"] = "hunter2"
    project.write("headway.yaml", NAMED)
    monkeypatch.chdir(project.folder)
    without_terminal = headway("secret", "remove", "shop-key")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("typer.confirm", lambda question, **more: False)
    refused = headway("secret", "remove", "shop-key")
    assert (without_terminal.code, refused.code, list(server)) == (
        Misconfigured.exit_code,
        Rejected.exit_code,
        ["shop-key"],
    )
    assert "shop: environments.staging.secrets.KEY uses shop-key" in refused.err
    assert headway("secret", "remove", "shop-key", "--yes").code == 0
    assert server == {}
    assert "there is no secret shop-key" in headway("secret", "remove", "shop-key", "--yes").err

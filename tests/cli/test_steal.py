"""Nothing is taken from anybody by accident: holder shown, user asked, only that run named to the flow."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from delivery.changes.lease import LeaseBook
from delivery.errors import Interrupted, Misconfigured, Rejected
from tests.cli.conftest import Headway, Project


@pytest.fixture
def book(tmp_path: Path) -> LeaseBook:
    return LeaseBook(tmp_path / "home" / "leases")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Return the parameters that runs are started with; none is carried."""
    parameters: list[dict[str, object]] = []

    def start(deployment: str, given: dict[str, object], name: str, by: str) -> None:
        parameters.append(given)
        raise Interrupted("started")

    monkeypatch.setattr("flows.runs.start", start)
    monkeypatch.setattr("cli.run.bring_up", lambda quiet: SimpleNamespace(home=SimpleNamespace(root=Path())))
    monkeypatch.setattr("cli.run.remember_project", lambda home, folder: None)
    monkeypatch.setattr("cli.rollback.running", lambda: None)
    return parameters


def terminal(monkeypatch: pytest.MonkeyPatch, *, answers: bool | None) -> list[str]:
    """Be a terminal on which the question is answered so; none: no terminal. Return the questions."""
    asked: list[str] = []

    def confirm(question: str, **more: object) -> bool:
        asked.append(question)
        return bool(answers)

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: answers is not None))
    monkeypatch.setattr("typer.confirm", confirm)
    return asked


@pytest.mark.parametrize("verb", ["run", "rollback"])
def test_the_holder_is_shown_and_taken_from_once_the_user_agrees(
    headway: Headway,
    project: Project,
    book: LeaseBook,
    started: list[dict[str, object]],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    book.take("shop", "production", holder="run-1", reason="release a")
    asked = terminal(monkeypatch, answers=True)
    ended = headway(verb, *([project.folder] if verb == "run" else ["--app", "shop"]), "--steal")
    assert asked == ["Take it from run-1?"]
    assert "production of shop is held by run-1 since" in ended.err
    assert "(release a)" in ended.err
    assert [one["steal"] for one in started] == ["run-1"]


@pytest.mark.parametrize("verb", ["run", "rollback"])
def test_nothing_starts_when_the_user_does_not_agree(
    headway: Headway,
    project: Project,
    book: LeaseBook,
    started: list[dict[str, object]],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    book.take("shop", "production", holder="run-1", reason="release a")
    terminal(monkeypatch, answers=False)
    ended = headway(verb, *([project.folder] if verb == "run" else ["--app", "shop"]), "--steal")
    assert ended.code == Rejected.exit_code
    assert "nothing was stolen: production of shop is held by run-1" in ended.err
    assert started == []


def test_without_a_terminal_the_answer_must_be_given(
    headway: Headway,
    project: Project,
    book: LeaseBook,
    started: list[dict[str, object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    book.take("shop", "production", holder="run-1", reason="release a")
    terminal(monkeypatch, answers=None)
    refused = headway("run", project.folder, "--steal")
    headway("run", project.folder, "--steal", "--yes")
    assert refused.code == Misconfigured.exit_code
    assert "--steal: there is no terminal to ask on; allowed: --steal --yes" in refused.err
    assert [one["steal"] for one in started] == ["run-1"]


def test_an_environment_on_the_way_can_be_stolen_and_other_holders_are_waited_for(
    headway: Headway, project: Project, book: LeaseBook, started: list[dict[str, object]]
) -> None:
    book.take("shop", "staging", holder="run-2", reason="release b")
    headway("run", project.folder, "--steal", "--yes")
    book.take("shop", "production", holder="run-1", reason="release a")
    ended = headway("run", project.folder, "--steal", "--yes")
    assert "staging of shop is held by run-2" in ended.err
    assert "it is waited for" in ended.err
    assert [one["steal"] for one in started] == ["run-2", "run-1"]


@pytest.mark.parametrize("options", [["--steal"], []])
def test_nothing_is_taken_from_who_is_not_asked_for_or_holds_nothing(
    headway: Headway, project: Project, book: LeaseBook, started: list[dict[str, object]], options: list[str]
) -> None:
    if not options:
        book.take("shop", "production", holder="run-1", reason="release a")
    ended = headway("run", project.folder, *options)
    assert [one["steal"] for one in started] == [None]
    assert ("there is nothing to steal" in ended.err) is bool(options)

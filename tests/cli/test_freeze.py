"""Nothing is frozen, or marked bad, by a slip: a reason is asked for, a moment to come, an environment there is."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from cli.moments import moment
from delivery.changes.freezes import FreezeMark
from flows.marks import Frozen
from tests.cli.conftest import Headway, Project
from tests.delivery.values import NOON


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, project: Project) -> list[dict[str, object]]:
    """Return what was frozen; the application was never delivered, and its folder is the current one."""
    done: list[dict[str, object]] = []

    def freeze(app: str, environment: str | None, **told: object) -> Frozen:
        done.append({"app": app, "environment": environment, **told})
        mark = FreezeMark(at=NOON, app=app, environment=environment, by=str(told["by"]), reason=str(told["reason"]))
        return Frozen(mark=mark, under_way=("production of shop is held by run-1 since noon",))

    monkeypatch.chdir(project.folder)
    monkeypatch.setattr("cli.freeze.running", lambda: None)
    monkeypatch.setattr("flows.marks.environments_of", lambda app: ())
    monkeypatch.setattr("flows.marks.freeze", freeze)
    return done


def test_it_is_said_who_froze_what_and_which_run_goes_on(headway: Headway, said: list[dict[str, object]]) -> None:
    ended = headway("freeze", "production", "--reason", "sale", "--by", "ana", "--until", "2h")
    assert (ended.code, said[0]["app"], said[0]["environment"]) == (0, "shop", "production")
    assert ended.out == "production of shop is frozen by ana since 2026-03-04 12:00 UTC: sale\n"
    assert ended.err == "production of shop is held by run-1 since noon: that goes on\n"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["production"], "--reason: is empty"),
        (["production", "--reason", "sale", "--until", "soon"], "--until: 'soon'; allowed: 30s, 15m, 2h"),
        (["production", "--reason", "sale", "--until", "2020-01-01"], "--until: 2020-01-01 is over"),
        (["prod", "--reason", "sale"], "prod of shop: there is no such environment; allowed: staging, production"),
        (["--reason", "sale", "--by", "x"], "--by: 'x'; allowed: a name or e-mail"),
    ],
)
def test_a_slip_freezes_nothing(
    headway: Headway, said: list[dict[str, object]], arguments: list[str], found: str
) -> None:
    ended = headway("freeze", *arguments)
    assert (ended.code, said) == (2, [])
    assert found in ended.err


def test_a_release_is_not_marked_without_a_reason(headway: Headway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.bad.running", lambda: SimpleNamespace())
    ended = headway("bad", "3f2a9c")
    assert ended.code == 2
    assert "--reason: is empty" in ended.err


def test_a_span_means_a_moment_before_or_ahead() -> None:
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert moment("2h", "--until", now, ahead=True) == now + timedelta(hours=2)
    assert moment("2h", "--since", now, ahead=False) == now - timedelta(hours=2)
    assert moment("2030-12-31T10:00Z", "--until", now, ahead=True) == datetime(2030, 12, 31, 10, tzinfo=UTC)

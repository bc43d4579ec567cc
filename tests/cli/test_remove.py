"""Nothing is removed by accident: what goes is shown by name, and the user is asked."""

import json
import sys
from types import SimpleNamespace

import pytest

from delivery.errors import Misconfigured, Rejected
from delivery.ports.belongings import Belonging
from delivery.ports.remains import EnvironmentRemains, Remains
from tests.cli.conftest import Headway

Started = tuple[str, list[str]]
VOLUME = Belonging(kind="volume", name="headway-1-shop-production-database", keeps="the database")
CONTAINERS = tuple(Belonging(kind="container", name=name) for name in ("a", "b"))
SHOP = Remains(
    app="shop",
    environments=(
        EnvironmentRemains(
            environment="production", live="abc", belongings=(VOLUME, *CONTAINERS), settings="shop-production"
        ),
    ),
    repositories=("shop/web",),
)


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    """Return what the flow was started with; a platform has the shop alone."""
    started: list[Started] = []

    async def flow(app: str, environments: list[str], backups: bool) -> list[str]:
        started.append((app, environments))
        return ["volume headway-1-shop-production-database"]

    def find(app: str, environments: list[str] | None) -> Remains:
        known = app == "shop" and (not environments or "production" in environments)
        return SHOP if known else Remains(app=app)

    monkeypatch.setattr("cli.remove.running", lambda: None)
    monkeypatch.setattr("flows.remove.find_remains", find)
    monkeypatch.setattr("flows.remove.check_nobody_uses", lambda remains: None)
    monkeypatch.setattr("flows.remove.remove", flow)
    monkeypatch.setattr("flows.overview.app_names", lambda: ["shop"])
    return started


def terminal(monkeypatch: pytest.MonkeyPatch, *, answers: bool) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("typer.confirm", lambda question, **more: answers)


def test_what_would_be_lost_is_named_before_anything_goes(
    headway: Headway, asked_for: list[Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal(monkeypatch, answers=False)
    ended = headway("remove", "shop")
    assert (ended.code, asked_for) == (Rejected.exit_code, [])
    assert ended.err.splitlines() == [
        "this removes for good, of shop:",
        "  production   release abc, which is live",
        "  production   the database: volume headway-1-shop-production-database",
        "  production   secrets and addresses: block shop-production",
        "  production   2 containers",
        "  images       shop/web",
        "no backup of it is kept: headway backup keeps one, and removing the application does not remove it",
        "error: nothing was removed: shop stays as it is",
    ]


def test_it_goes_once_the_user_agrees(
    headway: Headway, asked_for: list[Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal(monkeypatch, answers=True)
    ended = headway("remove", "shop", "--environment", "production")
    assert (ended.code, asked_for) == (0, [("shop", ["production"])])
    assert "removed production of shop: 1 thing\n" in ended.out
    assert "stay in" in ended.out


def test_without_a_terminal_the_answer_must_be_given(headway: Headway, asked_for: list[Started]) -> None:
    refused = headway("remove", "shop")
    assert (refused.code, asked_for) == (Misconfigured.exit_code, [])
    assert "there is no terminal to ask on; allowed: --yes" in refused.err
    ended = headway("remove", "shop", "--yes", "--json")
    assert (ended.code, asked_for) == (0, [("shop", ["production"])])
    assert json.loads(ended.out) == {"app": "shop", "removed": ["volume headway-1-shop-production-database"]}


def test_what_a_run_uses_is_refused_before_anybody_is_asked(
    headway: Headway, asked_for: list[Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(remains: Remains) -> None:
        raise Rejected("production of shop is held by run-1")

    monkeypatch.setattr("flows.remove.check_nobody_uses", refuse)
    ended = headway("remove", "shop", "--yes")
    assert (ended.code, ended.err, asked_for) == (1, "error: production of shop is held by run-1\n", [])


@pytest.mark.parametrize("arguments", [["other"], ["shop", "--environment", "test"]])
def test_a_second_call_says_that_there_is_nothing(
    headway: Headway, asked_for: list[Started], arguments: list[str]
) -> None:
    ended = headway("remove", *arguments)
    assert (ended.code, asked_for) == (0, [])
    assert ended.err.startswith("there is nothing of ")
    assert ended.err.endswith("on this platform; applications here: shop\n")

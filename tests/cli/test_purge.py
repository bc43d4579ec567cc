"""Nobody loses a database to a slip: a purge names what it destroys, and asks."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from delivery.docker.target.lifecycle import KeptVolume
from delivery.home import Home
from delivery.platform.shutdown import Losses
from tests.cli.conftest import Headway

VOLUME = KeptVolume(
    name="headway-1-shop-production-database",
    app="shop",
    environment="production",
    keeps="the database",
    size_bytes=48_000_000,
)
RUN = "production of shop is held by r1 since 2026-01-01 10:00:00 UTC (release abc)"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def purged(monkeypatch: pytest.MonkeyPatch) -> list[Home]:
    """Return the homes that were purged; a platform has the shop's database and a run."""
    done: list[Home] = []

    def purge(home: Home) -> list[str]:
        done.append(home)
        return ["keeper", "environment production of shop", str(home.root)]

    monkeypatch.setattr("delivery.platform.shutdown.find_losses", lambda home: Losses(volumes=(VOLUME,), runs=(RUN,)))
    monkeypatch.setattr("delivery.platform.shutdown.purge_platform", purge)
    return done


def terminal(monkeypatch: pytest.MonkeyPatch, *, answers: bool) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("typer.confirm", lambda question, **more: answers)


def test_a_purge_names_databases_and_the_running_delivery_and_a_no_changes_nothing(
    headway: Headway, purged: list[Home], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    terminal(monkeypatch, answers=False)

    ended = headway("down", "--purge")

    assert (ended.code, purged) == (1, [])
    assert ended.err.splitlines() == [
        f"this destroys the platform in {home} for good, with all images, reports and history:",
        "  production of shop: the database: volume headway-1-shop-production-database, 48 MB",
        f"  a delivery is under way and ends with it: {RUN}",
        "no backup of it is kept: what shall stay must be dumped before",
        "error: nothing was destroyed: the platform is as it was",
    ]


def test_a_purge_names_what_is_on_other_machines_and_those_that_do_not_answer(
    headway: Headway, purged: list[Home], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    far = VOLUME.model_copy(update={"host": "ssh://deploy@far", "size_bytes": None})
    losses = Losses(volumes=(far,), unreached=("tcp://away:2375",), runs=())
    monkeypatch.setattr("delivery.platform.shutdown.find_losses", lambda home: losses)

    ended = headway("down", "--purge", "--yes")

    assert ended.err.splitlines()[1:3] == [
        "  production of shop: the database: volume headway-1-shop-production-database at ssh://deploy@far",
        "  tcp://away:2375 does not answer: what runs there stays, and nobody removes it later",
    ]


def test_a_purge_that_nobody_can_be_asked_about_is_refused(headway: Headway, purged: list[Home], home: Path) -> None:
    ended = headway("down", "--purge")

    assert (ended.code, purged) == (2, [])
    assert ended.err.endswith("error: headway down --purge: there is no terminal to ask on; allowed: --yes\n")
    assert home.exists()


def test_yes_purges_without_asking(headway: Headway, purged: list[Home], home: Path) -> None:
    ended = headway("down", "--purge", "--yes")

    assert (ended.code, purged) == (0, [Home(home)])
    assert ended.out == f"removed: keeper, environment production of shop, {home}\n"


def test_a_yes_on_the_terminal_purges(
    headway: Headway, purged: list[Home], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    terminal(monkeypatch, answers=True)

    assert (headway("down", "--purge").code, purged) == (0, [Home(home)])


def test_a_purge_of_nothing_says_so(headway: Headway, tmp_path: Path) -> None:
    ended = headway("down", "--purge")

    assert (ended.code, ended.out) == (0, f"there is no platform in {tmp_path / 'home'}\n")

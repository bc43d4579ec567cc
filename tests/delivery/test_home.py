"""A platform has one folder and one identity."""

from pathlib import Path

import pytest

from delivery.home import Home
from delivery.platform.orchestrator import Orchestrator


def test_the_folder_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_HOME", str(tmp_path / "here"))
    assert Home.current().root == (tmp_path / "here").resolve()


def test_without_a_name_it_lies_in_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HEADWAY_HOME", "")
    assert Home.current().root == (tmp_path / ".headway").resolve()


def test_a_platform_keeps_its_identity(tmp_path: Path) -> None:
    first = Home(tmp_path / "a").identity
    assert first == Home(tmp_path / "a").identity
    assert first != Home(tmp_path / "b").identity


def test_everything_of_a_platform_lies_below_its_folder(tmp_path: Path) -> None:
    home = Home(tmp_path)
    places = [home.store, home.work, home.cache, home.logs, home.heartbeats, home.leases, home.project]
    assert len(set(places)) == len(places)
    assert all(place.parent == tmp_path for place in places)


def test_platforms_share_store_leases_and_heartbeats_where_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWAY_STORE", str(tmp_path / "shared"))
    homes = []
    for name in ("a", "b"):
        monkeypatch.setenv("HEADWAY_HOME", str(tmp_path / name))
        homes.append(Home.current())

    first, second = homes
    assert (first.store, first.leases, first.heartbeats) == (second.store, second.leases, second.heartbeats)
    assert first.store.is_relative_to(tmp_path / "shared")
    assert first.work != second.work
    assert first.identity != second.identity
    assert Orchestrator(first).environment()["HEADWAY_STORE"] == str(tmp_path / "shared")
    assert "HEADWAY_STORE" not in Orchestrator(Home(tmp_path / "a")).environment()

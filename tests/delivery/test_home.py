"""A platform has one folder and one identity."""

from pathlib import Path

import pytest

from delivery.home import Home


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

"""`headway down --purge`: what goes is named before, and what cannot go is named after."""

import errno
import os
import shutil
from datetime import UTC, datetime

import pytest

from delivery.changes.heartbeat import FolderHeartbeats
from delivery.changes.lease import LeaseBook
from delivery.changes.ledger import environment_labels
from delivery.docker.engine.client import connect
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.platform.shutdown import find_losses, purge_platform
from tests.support.disks import fill, small_disk
from tests.support.platforms import remove_platform


@pytest.fixture
def home(tmp_path):
    """A platform that never had anything on an engine."""
    home = Home(tmp_path / "home")
    home.logs.mkdir(parents=True)
    (home.logs / "server.log").write_text("log")
    return home


def make_volume(home, app, environment, role, name):
    labels = environment_labels(home.identity, app, environment, role)
    name = f"headway-{home.identity}-{app}-{environment}-{name}"
    connect().volumes.create(name, labels=labels)
    return name


@pytest.mark.docker
def test_databases_volumes_and_a_running_delivery_are_named_and_nothing_of_others(home, tmp_path):
    other = Home(tmp_path / "other")
    try:
        cache = make_volume(home, "shop", "staging", "backing", "cache")
        database = make_volume(home, "shop", "production", "database", "database")
        make_volume(other, "bank", "production", "database", "database")
        LeaseBook(home.leases).take("shop", "production", holder="r1", reason="release abc")
        FolderHeartbeats.of(home).enter("r1")

        losses = find_losses(home)
        named = [(one.name, one.app, one.environment, one.keeps) for one in losses.volumes]
        removed = purge_platform(home)
        left = {volume.name for volume in connect().volumes.list()} & {cache, database}
    finally:
        for platform in (home, other):
            remove_platform(platform)

    assert named == [
        (database, "shop", "production", "the database"),
        (cache, "shop", "staging", "data of cache"),
    ]
    assert losses.volumes[0].size_bytes is not None
    assert [run.partition(" since ")[0] for run in losses.runs] == ["production of shop is held by r1"]
    assert str(home.root) in removed
    assert left == set()


def test_without_an_engine_nobody_knows_what_would_be_lost_and_nothing_goes(home, monkeypatch):
    (home.root / "identity").write_text("abcdef")
    monkeypatch.setattr("delivery.platform.shutdown.engine_version", lambda: None)
    monkeypatch.setattr("delivery.platform.shutdown.await_engine", lambda answer: None)

    with pytest.raises(Misconfigured, match=rf"no Docker engine answers(.|\n)*remove the folder {home.root}"):
        find_losses(home)

    assert home.logs.exists()


def test_a_home_that_is_a_mount_point_is_emptied_and_stays(tmp_path):
    """It may be full as well: a purge is what makes room then."""
    with small_disk(tmp_path / "home") as root:
        Home(root).logs.mkdir()
        fill(root)

        removed = purge_platform(Home(root))

        assert (removed, list(root.iterdir()), os.path.ismount(root)) == ([str(root)], [], True)


def test_a_file_that_cannot_be_removed_is_named_and_all_else_is_gone(home, monkeypatch):
    """No user may remove a file that is immutable; here the system's refusal is made."""
    stays, unlink = home.root / "store" / "stays", os.unlink
    stays.parent.mkdir()
    stays.write_text("")

    def refuse(path, **more):
        if os.fspath(path) == stays.name:
            raise PermissionError(errno.EPERM, "Operation not permitted", path)
        unlink(path, **more)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(Rejected) as told:
        purge_platform(home)
    monkeypatch.undo()

    assert str(told.value).splitlines()[:2] == [
        f"all of {home.root} is removed but:",
        f"  {stays}: Operation not permitted",
    ]
    assert "next: " in str(told.value)
    assert [path for path in home.root.rglob("*") if path.is_file()] == [stays]
    shutil.rmtree(home.root)


def test_a_run_that_died_is_not_told_as_one_that_is_under_way(home):
    taken = LeaseBook(home.leases).take("shop", "production", holder="dead", reason="release abc")

    assert taken.is_held(datetime.now(UTC))
    assert find_losses(home).runs == ()

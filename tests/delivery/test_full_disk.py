"""A home that cannot be written is told with its folder and the next step, whoever meets it first."""

import asyncio
import errno

import pytest

from delivery.errors import CommandFailed, Interrupted, Misconfigured, Rejected, ReleaseUnhealthy
from delivery.full_disk import check_home, in_words, storage_trouble
from delivery.home import Home
from delivery.platform.daemon import Daemon
from delivery.ports.store import FolderStore
from delivery.programs.run import run
from tests.support.disks import fill, make_read_only, small_disk


@pytest.fixture
def full(tmp_path):
    """A home without room for anything."""
    with small_disk(tmp_path / "home") as root:
        home = Home(root)
        home.logs.mkdir()
        home.store.mkdir()
        fill(root)
        yield home


def words_of(home, act):
    with pytest.raises(OSError, match=r"\[Errno \d+\]") as met:
        act()
    return str(storage_trouble(met.value, home))


def test_a_home_with_room_is_fine(tmp_path):
    check_home(Home(tmp_path / "home"))

    assert list((tmp_path / "home").iterdir()) == []


def test_a_full_home_is_told_with_its_folder_and_the_next_step(full):
    with pytest.raises(Rejected) as told:
        check_home(full)

    assert str(told.value).splitlines() == [
        f"{full.root} cannot be written: the disk is full (0.0 MB left)",
        f"  next: free space in {full.root} (logs/ and cache/ may be removed at any time), or name a larger folder in "
        "HEADWAY_HOME",
    ]


def test_a_home_that_is_mounted_read_only_is_told(tmp_path):
    with small_disk(tmp_path / "home") as root:
        make_read_only(root)

        with pytest.raises(Rejected, match=r"mounted read-only\n  next: mount it"):
            check_home(Home(root))


def test_a_home_below_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(Rejected, match=r"file/home cannot be written: a part of it is no folder\n  next: name"):
        check_home(Home(tmp_path / "file" / "home"))


def test_a_home_of_somebody_else_is_told(tmp_path):
    """Root may write anywhere, so the refusal of the system is made here."""
    home = Home(tmp_path / "home")

    said = storage_trouble(
        PermissionError(errno.EACCES, "Permission denied", str(home.root / "heartbeats" / "r1.new")), home
    )

    assert "heartbeats/r1.new cannot be written: this user may not write there" in str(said)
    assert "HEADWAY_HOME" in str(said)


def test_what_the_store_cannot_keep_is_told_with_its_path_and_leaves_nothing(full):
    store = FolderStore(full.store)

    said = words_of(full, lambda: store.put("journal/a.json", b"x" * 9000))

    assert f"{full.store}/journal/a.json cannot be written: the disk is full" in said
    assert [path for path in full.store.rglob("*") if path.is_file()] == []


def test_a_program_whose_log_has_no_room_ends_all_the_same_and_the_log_is_named(full):
    """It prints more than a pipe holds: nobody took its output once the log could not be written."""
    log = full.logs / "build.log"

    said = words_of(full, lambda: run(["seq", "100000"], timeout_seconds=60, log=log))

    assert f"{log} cannot be written: the disk is full" in said


def test_a_daemon_that_nobody_would_find_again_is_not_left_running(full):
    (full.root / "daemons").mkdir()
    log = full.root.parent / "log"
    daemon = Daemon("worker", full.root / "daemons", log)

    said = words_of(full, lambda: daemon.start(["sh", "-c", f"echo $$ >>{log}.pid; exec sleep 60"], {}))

    assert "daemons/worker.pid cannot be written" in said
    assert not daemon.has_died
    assert daemon.process() is None


def test_another_programs_failure_in_a_full_home_says_that_it_is_full(full):
    error = CommandFailed(["git", "checkout"], 128, "fatal: unable to write new index file")

    said = str(storage_trouble(error, full))

    assert said.startswith(str(error))
    assert "the disk is full" in said


@pytest.mark.parametrize("error", [Interrupted("stop"), asyncio.CancelledError(), ReleaseUnhealthy("DOWN")])
def test_how_a_run_ends_is_not_changed_by_a_full_disk(full, error):
    assert storage_trouble(error, full) is None


def test_what_is_told_in_a_full_home_names_it_as_well(full):
    said = in_words(Rejected("the Prefect server did not start: database or disk is full"), full)

    assert said.splitlines()[0] == "the Prefect server did not start: database or disk is full"
    assert f"{full.root} cannot be written: the disk is full" in said


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a mistake"),
        PermissionError(errno.EACCES, "Permission denied"),  # of a socket, which has no name
        PermissionError(errno.EACCES, "Permission denied", "/somewhere/else"),
        CommandFailed(["git", "log"], 128, "fatal: no space left on device"),
    ],
)
def test_what_has_another_cause_is_left_alone(tmp_path, error):
    assert storage_trouble(error, Home(tmp_path)) is None
    assert in_words(Misconfigured("file", "is empty"), Home(tmp_path)) == "file: is empty"


def test_a_disk_that_is_not_the_homes_is_named_by_itself(tmp_path):
    said = str(storage_trouble(OSError(errno.ENOSPC, "No space left on device", "/elsewhere/x"), Home(tmp_path)))

    assert "/elsewhere/x cannot be written: the disk is full" in said
    assert "free space in /elsewhere/x" in said
    assert "HEADWAY_HOME" not in said


def test_a_shared_folder_that_cannot_be_written_is_told_with_its_variable(tmp_path):
    (tmp_path / "file").write_text("")
    home = Home(tmp_path / "home", shared=tmp_path / "file" / "shared")

    with pytest.raises(Rejected, match=r"file/shared cannot be written: .*\n  next: name a folder in HEADWAY_STORE"):
        check_home(home)
    denied = PermissionError(errno.EACCES, "Permission denied", str(home.leases / "shop.production.new"))
    assert "another one in HEADWAY_STORE" in str(storage_trouble(denied, home))

"""Backups in a folder: whole or not there, and kept for as long as the file says."""

import stat
from datetime import UTC, timedelta, timezone

import pytest

from delivery.changes.kept import BackupFolder, Look, expired
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.ports.backups import BackupProof, KeptBackup
from delivery.spec.backups import BackupPolicy
from tests.delivery.values import NOON

PROOF = BackupProof(outcome="pass", tables=1, rows=2, size_bytes=3, rpo_seconds=0.1, rto_seconds=0.2)


def backup(name="", days=0, reason="by schedule", proof=None, **more):
    fields = {"database": "shop", "run": "run-1", "size_bytes": 3, "tables": 1, "rows": 2, "rpo_seconds": 0.1}
    fields |= {"app": "shop", "environment": "production", "at": NOON - timedelta(days=days)}
    return KeptBackup.model_validate(fields | {"name": name or f"b{days}", "reason": reason, "proof": proof} | more)


@pytest.fixture
def folder(tmp_path):
    return BackupFolder(Home(tmp_path), "shop", "production")


def add(folder, days=0):
    with folder.adding() as (name, files):
        (files / "database.dump").write_bytes(b"all rows")
        folder.write_record(files, backup(name, days), Look(token="ab", states=()))
    return name


def test_a_backup_is_found_with_its_proof_by_name_by_its_beginning_and_as_the_latest(folder):
    older, newer = add(folder, days=1), add(folder)

    folder.keep_proof(folder.find(newer)[1], PROOF)

    assert [(one.name, one.proven) for one in folder.all()] == [(newer, "proven"), (older, "not proven")]
    assert folder.find("latest")[0].proof == PROOF
    assert folder.find(older)[1] == folder.folder / older
    assert folder.look(folder.folder / older).token == "ab"
    with pytest.raises(Misconfigured, match="fits several"):
        folder.find("20")
    with pytest.raises(Misconfigured, match=f"is not kept; allowed: {newer}"):
        folder.find("other")


def test_what_was_not_finished_is_no_backup_and_nothing_of_it_stays(folder):
    def fail():
        with folder.adding() as (_, files):
            (files / "database.dump").write_bytes(b"half")
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        fail()

    assert folder.all() == ()
    assert list(folder.folder.iterdir()) == []


def test_what_a_killed_process_left_is_no_backup_and_goes_after_a_day(folder, monkeypatch):
    unfinished = folder.folder / ".20300101-000000-abcd"
    unfinished.mkdir(parents=True)
    (unfinished / "backup.json").write_text(backup().model_dump_json())

    first = add(folder)
    assert ([one.name for one in folder.all()], unfinished.exists()) == ([first], True)
    monkeypatch.setattr("delivery.changes.kept.STALE_SECONDS", -1.0)
    add(folder)

    assert not unfinished.exists()


def test_only_its_owner_may_read_a_backup(folder):
    name = add(folder)

    assert stat.S_IMODE(folder.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder.folder / name).stat().st_mode) == 0o700
    assert stat.S_IMODE((folder.folder / name / "look.json").stat().st_mode) == 0o600


def test_a_forgotten_backup_is_gone_and_may_be_forgotten_again(folder):
    name = add(folder)

    folder.forget(name)
    folder.forget(name)

    assert (folder.all(), list(folder.folder.iterdir())) == ((), [])


@pytest.mark.parametrize("left", [b"", b'{"name": "b', b'{"name": "b"}'], ids=["nothing", "a part", "something else"])
def test_one_record_that_cannot_be_read_hides_no_other_and_is_shown_as_damaged(folder, left):
    older, broken = add(folder, days=1), add(folder)
    (folder.folder / broken / "backup.json").write_bytes(left)

    found = {one.name: one for one in folder.all()}

    assert {name: one.proven for name, one in found.items()} == {older: "not proven", broken: "damaged"}
    assert {name: (one.unreadable, one.of_the_place) for name, one in found.items()} == {
        older: (False, False),
        broken: (True, False),  # it is removed with its application
    }
    assert "backup.json cannot be read: " in found[broken].proof.differences[0]
    assert (found[broken].at.strftime("%Y%m%d-%H%M%S"), found[broken].size_bytes > 8) == (broken[:15], True)
    assert folder.find("latest")[0].name == folder.find(older)[0].name == older
    with pytest.raises(Rejected, match=rf"backup {broken} cannot be restored: .*backup\.json cannot be read"):
        folder.find(broken)


def test_what_cannot_be_read_is_counted_for_nothing_and_never_removed(folder):
    broken = add(folder)
    (folder.folder / broken / "backup.json").write_bytes(b"")
    kept = [*folder.all(), *(backup(days=days) for days in (1, 2))]

    assert names(expired(kept, BackupPolicy(keep=1, keep_days=1), NOON + timedelta(days=9999))) == ["b2"]


@pytest.mark.parametrize("name", ["20300102-030405-abcd", "copied-by-hand"])
def test_the_moment_of_what_cannot_be_read_is_that_of_its_name_or_of_its_folder(folder, name):
    (folder.folder / name).mkdir(parents=True)
    (folder.folder / name / "backup.json").touch()

    [found] = folder.all()
    assert (found.name, found.at.year == 2030, found.at.tzinfo) == (name, name.startswith("2030"), UTC)


def test_a_proof_that_cannot_be_read_is_no_good_one(folder):
    name = add(folder)
    folder.keep_proof(folder.folder / name, PROOF)
    (folder.folder / name / "proof.json").write_bytes(b"")

    assert [one.proven for one in folder.all()] == ["damaged"]
    assert folder.find(name)[0].name == name


def test_what_was_in_a_backup_is_read_or_it_is_said_that_it_cannot_be(folder):
    name = add(folder)
    look = folder.folder / name / "look.json"
    look.write_text('{"token": "ab", "states": [{"kind": "table", "name": "a", "rows": 1, "checksum": "c"}]}')
    assert [one.unlogged for one in folder.look(look.parent).states] == [False]  # as kept before that was looked at

    look.write_bytes(b'{"token": "ab", "sta')
    with pytest.raises(Rejected, match=r"look\.json cannot be read: Invalid JSON"):
        folder.look(look.parent)
    look.unlink()
    with pytest.raises(Rejected, match=r"look\.json is not there"):
        folder.look(look.parent)


def test_the_moment_of_a_backup_is_told_in_utc_whichever_offset_it_was_asked_with():
    at = NOON.astimezone(timezone(timedelta(hours=2)))
    kept = backup(at=at.isoformat())

    assert (f"{kept.at:%H:%M}", kept.at) == (f"{NOON:%H:%M}", NOON)


def names(found):
    return sorted(one.name for one in found)


def test_too_many_and_too_old_ones_go_each_reason_for_itself():
    kept = [backup(days=days) for days in (0, 1, 2, 40)] + [backup("hand", 3, "by hand"), backup("old", 50, "by hand")]

    assert names(expired(kept, BackupPolicy(keep=2), NOON)) == ["b2", "b40", "old"]
    assert names(expired(kept, BackupPolicy(keep=10), NOON)) == ["b40", "old"]
    assert names(expired(kept, BackupPolicy(keep=10, keep_days=60), NOON)) == []


def test_what_is_the_places_own_is_neither_counted_nor_removed():
    theirs = backup("theirs", 0).model_copy(update={"of_the_place": True})
    kept = [theirs, *(backup(days=days) for days in (1, 2, 3))]

    assert names(expired(kept, BackupPolicy(keep=2), NOON)) == ["b3"]
    assert names(expired([theirs], BackupPolicy(keep=1, keep_days=1), NOON + timedelta(days=99))) == []


def test_the_newest_and_the_newest_proven_one_stay_however_old():
    kept = [backup(days=100), backup(days=200, proof=PROOF), backup(days=300, proof=PROOF)]

    assert names(expired(kept, BackupPolicy(keep=1), NOON)) == ["b300"]

"""The journal, and how an abandoned change is ended."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from delivery.changes.journal import Entry, Journal, decide_recovery, spent_seconds
from delivery.errors import Misconfigured
from delivery.memory.store import MemoryStore
from delivery.ports.store import FolderStore
from delivery.releases.release import Release
from tests.delivery.values import NOON, make_release


def entries(*lines: str, sequence: int = 3) -> list[Entry]:
    found = []
    for number, line in enumerate(lines):
        verb, stage = line.split()
        fields = {"verb": verb, "stage": stage, "sequence": sequence, "at": NOON + timedelta(seconds=number)}
        common = {"app": "shop", "environment": "production", "run": "r1", "release": make_release()}
        found.append(Entry.model_validate(fields | common))
    return found


@pytest.mark.parametrize(
    ("lines", "decision"),
    [
        ([], "nothing"),
        (["migrate intent"], "end-migration"),
        (["migrate intent", "migrate failed"], "end-migration"),
        (["migrate intent", "migrate failed", "end-migration intent"], "end-migration"),
        (["migrate intent", "migrate failed", "end-migration intent", "end-migration done"], "nothing"),
        (["migrate intent", "migrate done"], "nothing"),
        (["migrate intent", "migrate done", "stage intent"], "withdraw"),
        (["migrate intent", "migrate done", "stage intent", "retire intent"], "retire"),
        (["start-database intent", "start-database done"], "nothing"),
        (["stage intent", "retire done", "use-database intent"], "nothing"),
        (["stage intent"], "withdraw"),
        (["stage intent", "stage done"], "withdraw"),
        (["stage intent", "stage failed"], "withdraw"),
        (["stage intent", "stage done", "shift intent"], "withdraw"),
        (["stage intent", "stage done", "shift intent", "shift done"], "withdraw"),
        (["stage intent", "shift done", "withdraw intent"], "withdraw"),
        (["stage intent", "shift done", "withdraw intent", "withdraw failed"], "withdraw"),
        (["stage intent", "shift done", "withdraw intent", "withdraw done"], "nothing"),
        (["stage intent", "shift done", "retire intent"], "retire"),
        (["stage intent", "shift done", "retire intent", "retire failed"], "retire"),
        (["stage intent", "shift done", "retire intent", "retire done"], "nothing"),
        (["stage intent", "shift done", "settle intent"], "retire"),
        (["stage intent", "shift done", "settle intent", "settle failed"], "retire"),
        (["stage intent", "shift done", "settle intent", "settle done"], "nothing"),
        (["stage intent", "retire done", "remove intent"], "remove"),
        (["stage intent", "shift done", "remove intent", "remove done"], "nothing"),
        (["remove intent", "remove done", "stage intent"], "withdraw"),
        (["stage intent", "settle intent", "settle done", "retire intent"], "retire"),
        (["stage intent", "settle intent", "settle done", "retire intent", "retire done"], "nothing"),
    ],
)
def test_what_was_begun_is_finished_or_withdrawn(lines: list[str], decision: str) -> None:
    assert decide_recovery(entries(*lines))[0] == decision


GOOD, BAD = make_release(6), make_release(10)  # fingerprints of both begin with 8


def journal_of(*runs: tuple[Release, str]) -> Journal:
    """A journal with a run after the other: what it was of, and the verbs that were meant in it."""
    journal, minutes = Journal(MemoryStore(), "shop", "production"), itertools.count()
    for number, (release, verbs) in enumerate(runs):
        for entry in entries(*(f"{verb} intent" for verb in verbs.split()), sequence=number + 1):
            more = {"at": NOON + timedelta(minutes=next(minutes)), "run": f"r{number}", "release": release}
            journal.write(entry.model_copy(update=more))
    return journal


COMES = "start-database migrate stage shift settle"  # its first minute is the one that counts


@pytest.mark.parametrize(
    ("runs", "minute"),
    [
        ([(GOOD, "stage"), (BAD, COMES)], 1),
        ([(GOOD, "stage"), (BAD, COMES), (BAD, "restore")], 1),  # a look at it, or one that failed
        ([(GOOD, "stage"), (BAD, COMES), (BAD, "restore use-database"), (BAD, "use-database")], 1),
        ([(GOOD, "stage"), (BAD, COMES), (BAD, "migrate")], 1),  # it shrinks, or takes back
        ([(GOOD, "stage"), (BAD, "start-database migrate end-migration"), (BAD, COMES)], 1),
        ([(BAD, "stage withdraw"), (GOOD, "stage"), (BAD, COMES), (BAD, "migrate")], 3),
    ],
    ids=["it came", "restored", "put behind", "migrated later", "failed first", "came again"],
)
def test_before_a_release_is_before_it_came_whatever_was_done_to_the_database_since(
    runs: list[tuple[Release, str]], minute: int
) -> None:
    assert journal_of(*runs).came_at(BAD.fingerprint[:6]) == NOON + timedelta(minutes=minute)


def test_a_name_that_fits_several_releases_or_none_is_refused_with_those_that_came() -> None:
    journal = journal_of((GOOD, "stage"), (BAD, COMES), (make_release(3), "restore"))
    came = f"{BAD.fingerprint}, {GOOD.fingerprint}"

    with pytest.raises(Misconfigured, match=f"release none of shop: never came to production; allowed: {came}"):
        journal.came_at("none")
    with pytest.raises(Misconfigured, match=f"release 8 of shop: fits 2 releases; allowed: {came}"):
        journal.came_at("8")


def test_what_a_verb_took_is_from_its_intents_to_its_effects() -> None:
    shifted = entries("stage intent", "stage done", "shift intent", "shift done", "shift intent", "shift failed")
    another = [entry.model_copy(update={"run": "r2"}) for entry in entries("retire intent", "retire done")]

    assert spent_seconds([*shifted, *another], "r1") == {"stage": 1.0, "shift": 2.0}
    assert spent_seconds(entries("stage intent"), "r1") == {"stage": 0.0}


def test_entries_are_read_in_the_order_they_were_written(tmp_path: Path) -> None:
    journal = Journal(FolderStore(tmp_path), "shop", "production")
    written = entries("stage intent", "stage done", "shift intent", "shift done")
    for entry in written:
        journal.write(entry)
    assert journal.entries() == written
    assert journal.entries(2) == []
    assert journal.last_sequence() == 3


def test_the_newest_entry_is_that_of_the_newest_lease_and_the_others_are_not_read(tmp_path: Path) -> None:
    journal = Journal(FolderStore(tmp_path), "shop", "production")
    assert journal.last() is None
    sleeper, holder = entries("stage intent", "shift failed", sequence=3), entries("withdraw done", sequence=4)
    for entry in (*sleeper, *holder):
        journal.write(entry)
    others = [path for path in tmp_path.rglob("*.json") if "withdraw-done" not in path.name]
    for path in others:
        path.write_text("not to be read")

    assert len(others) == 2
    assert journal.last() == holder[-1]


def test_what_is_new_is_found_with_as_few_requests_as_ever_however_long_the_journal_is() -> None:
    class CountingStore(MemoryStore):
        asked = 0

        def get(self, key: str) -> bytes:
            self.asked += 1
            return super().get(key)

        def keys(self, prefix: str) -> Iterator[str]:
            for number, key in enumerate(super().keys(prefix)):
                self.asked += number % 10 == 0  # a page has ten
                yield key

    store = CountingStore()
    journal, needed = Journal(store, "shop", "production"), []
    for sequence in range(1, 101):
        for entry in entries("stage intent", "stage done", sequence=sequence):
            journal.write(entry)
        store.asked = 0
        last, newest = journal.last(), journal.entries(sequence)
        assert last == newest[-1]
        assert journal.last_sequence() == sequence
        needed.append(store.asked)

    assert set(needed) == {needed[0]}


def test_a_journal_of_an_older_version_is_read_and_gone_on_with(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    old, new = entries("stage intent", "retire done", sequence=7), entries("stage intent", sequence=8)
    for number, entry in enumerate(old):
        store.put(f"journal/shop/production/00000007/2026010{number}T-stage.json", entry.model_dump_json().encode())
    journal = Journal(store, "shop", "production")
    assert (journal.last_sequence(), journal.last()) == (7, old[-1])

    journal.write(new[0])

    assert (journal.last_sequence(), journal.last()) == (8, new[0])
    assert journal.entries() == [*old, *new]
    assert journal.entries(7) == old


def test_an_entry_is_never_overwritten(tmp_path: Path) -> None:
    journal = Journal(FolderStore(tmp_path), "shop", "production")
    [entry] = entries("stage intent")
    journal.write(entry)
    with pytest.raises(FileExistsError):
        journal.write(entry)

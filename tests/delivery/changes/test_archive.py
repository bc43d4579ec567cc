"""What can be rolled back to, and what is kept of a release."""

from datetime import timedelta
from pathlib import Path

import pytest

from delivery.changes.archive import Archive, Happening, HistoryEntry
from delivery.errors import Misconfigured
from delivery.ports.store import FolderStore
from delivery.releases.rehearsal import CodeOnSchema, Rehearsal
from delivery.releases.release import Evidence
from tests.delivery.values import NOON, make_app, make_release


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(FolderStore(tmp_path))


def remember(archive: Archive, *happenings: tuple[int, Happening]) -> None:
    start = len(archive.history("shop", "production"))
    for number, (release, happening) in enumerate(happenings, start):
        entry = HistoryEntry(
            at=NOON + timedelta(minutes=number), run="r", happening=happening, release=make_release(release)
        )
        archive.add_history("production", entry)


def choose(archive: Archive, live: int, asked: str | None = None, *, within: int = 5, override: bool = False) -> str:
    found = archive.choose("shop", "production", make_release(live), asked, within=within, override=override)
    return found.fingerprint


def test_the_release_before_the_live_one_is_gone_back_to(archive: Archive) -> None:
    remember(archive, (1, "released"), (2, "released"), (3, "released"))
    assert choose(archive, live=3) == make_release(2).fingerprint


def test_going_back_twice_goes_back_and_forth(archive: Archive) -> None:
    remember(archive, (1, "released"), (2, "released"), (1, "rolled-back"))
    assert choose(archive, live=1) == make_release(2).fingerprint


def test_a_release_that_never_came_through_its_watch_is_passed_over(archive: Archive) -> None:
    remember(archive, (1, "released"), (2, "withdrawn"), (3, "released"))
    assert choose(archive, live=3) == make_release(1).fingerprint


def test_a_rollback_that_failed_leaves_its_target_possible(archive: Archive) -> None:
    remember(archive, (1, "released"), (2, "released"), (1, "withdrawn"))
    assert choose(archive, live=2) == make_release(1).fingerprint
    assert choose(archive, 2, make_release(1).fingerprint) == make_release(1).fingerprint


def test_after_a_rollback_that_failed_the_next_release_is_gone_back_to(archive: Archive) -> None:
    remember(archive, (1, "released"), (2, "released"), (3, "released"), (2, "withdrawn"))
    assert choose(archive, live=3) == make_release(1).fingerprint
    remember(archive, (1, "withdrawn"))
    assert choose(archive, live=3) == make_release(2).fingerprint


def test_a_release_that_came_back_at_last_is_gone_back_to_before_older_ones(archive: Archive) -> None:
    remember(archive, (1, "released"), (2, "released"), (3, "released"), (2, "withdrawn"), (2, "rolled-back"))
    remember(archive, (3, "rolled-back"))
    assert choose(archive, live=3) == make_release(2).fingerprint


def test_the_last_failure_of_a_release_is_known_until_it_is_live_again(archive: Archive) -> None:
    remember(archive, (1, "released"), (1, "withdrawn"))
    failed = archive.last_failure("shop", "production", make_release(1))
    assert failed is not None
    assert failed.at == NOON + timedelta(minutes=1)
    remember(archive, (1, "rolled-back"))
    assert archive.last_failure("shop", "production", make_release(1)) is None


def test_a_withdrawn_release_is_refused_until_overridden(archive: Archive) -> None:
    remember(archive, (1, "released"), (2, "withdrawn"), (3, "released"))
    bad = make_release(2).fingerprint
    with pytest.raises(Misconfigured, match="was withdrawn here"):
        choose(archive, 3, bad)
    assert choose(archive, 3, bad, override=True) == bad


def test_the_live_release_is_no_release_to_go_back_to(archive: Archive) -> None:
    remember(archive, (1, "released"), (2, "released"))
    with pytest.raises(Misconfigured, match="is live already"):
        choose(archive, 2, make_release(2).fingerprint)


def test_an_unknown_release_is_refused_with_the_known_ones(archive: Archive) -> None:
    remember(archive, (1, "released"), (2, "released"))
    with pytest.raises(Misconfigured, match=make_release(1).fingerprint):
        choose(archive, 2, "fffffffffff0")


def test_only_the_last_releases_are_offered(archive: Archive) -> None:
    remember(archive, (1, "released"), (2, "released"), (3, "released"))
    with pytest.raises(Misconfigured, match="is not there"):
        choose(archive, 3, make_release(1).fingerprint, within=1)


def test_there_may_be_nothing_to_go_back_to(archive: Archive) -> None:
    remember(archive, (1, "released"))
    with pytest.raises(Misconfigured, match="no earlier release"):
        choose(archive, 1)


def test_a_release_is_kept_with_its_file_and_evidence(archive: Archive) -> None:
    app, release = make_app(), make_release()
    archive.keep_release(app, release)
    archive.keep_release(app, release)
    evidence = Evidence(kind="tests", subject=release.fingerprint, at=NOON, outcome="pass", summary="3 tests")
    archive.add_evidence(release, evidence)
    assert archive.release("shop", release.fingerprint[:5]) == (app, release)
    assert archive.evidence(release) == [evidence]


def test_a_release_that_was_never_kept_is_named(archive: Archive) -> None:
    with pytest.raises(Misconfigured, match="release abc of shop: no release"):
        archive.release("shop", "abc")


def test_a_rehearsal_answers_for_equal_inputs_once_it_is_conclusive(archive: Archive) -> None:
    old, new = make_release(1), make_release(2)
    about = {"app": "shop", "live": old.fingerprint, "release": new.fingerprint, "inputs": "i", "data": "a backup"}
    passed = [CodeOnSchema(code="old", on=on, outcome="passed") for on in ("old", "new")]
    failed = CodeOnSchema(code="new", on="new", outcome="failed")
    for minutes, shown in enumerate([{"problem": "busy"}, {"inconclusive": "busy"}, {"cells": [*passed, failed]}, {}]):
        archive.keep_rehearsal(Rehearsal.model_validate(about | {"at": NOON + timedelta(minutes=minutes)} | shown))
    assert archive.rehearsal("shop", old, new, "i") is None

    proven = Rehearsal.model_validate(about | {"at": NOON + timedelta(hours=1), "cells": passed})
    archive.keep_rehearsal(proven)
    assert archive.rehearsal("shop", old, new, "i") == proven
    assert len(archive.rehearsals("shop", old, new)) == 5

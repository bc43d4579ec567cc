"""Backups that are too old are told, and what takes data away needs one that was restored."""

from datetime import timedelta

import pytest

from delivery.changes.backup_policy import ages_of, check_proven
from delivery.errors import Rejected
from delivery.ports.second_place import Copies
from delivery.spec.backups import BackupPolicy
from tests.delivery.changes.test_kept import PROOF, backup
from tests.delivery.changes.test_restores import record
from tests.delivery.values import NOON

DAMAGED = PROOF.model_copy(update={"outcome": "fail"})
SLOW = BackupPolicy.model_validate({"drill": {"rto_seconds": 0.1}})
KEY = "environments.production.backups"


def ages(kept=(), copies=None, days=0, policy=None):
    since = NOON - timedelta(days=days)
    return ages_of("shop", "production", policy or BackupPolicy(), kept, copies, since=since, now=NOON)


def test_young_backups_and_copies_are_no_problem():
    found = ages([backup(days=1), backup(days=9)], Copies(where="vault", newest=NOON - timedelta(hours=50)))

    assert (found.newest, found.problems) == (NOON - timedelta(days=1), ())


@pytest.mark.parametrize(
    ("kept", "copies", "days", "says"),
    [
        ([backup(days=3)], None, 9, f"the newest backup is 72.0 h old, at most 50 h ({KEY}.newest_hours)"),
        ([backup(days=1, proof=DAMAGED), backup(days=4)], None, 9, "the newest backup is 96.0 h old"),
        ([], None, 9, "there is no backup since 216.0 h, at most 50 h"),
        ([backup()], Copies(where="vault"), 9, "there is no copy in vault since 216.0 h"),
        ([backup()], Copies(where="vault", newest=NOON - timedelta(days=5)), 9, "the newest copy in vault is 120.0 h"),
        ([backup()], Copies(where="vault", newest=NOON, problem="the job was PARTIAL"), 0, "copies in vault: the job"),
    ],
)
def test_what_is_too_old_or_wrong_is_told_with_its_limit(kept, copies, days, says):
    [line] = ages(kept, copies, days).problems

    assert says in line


def test_an_environment_of_today_needs_no_backup_yet():
    assert ages(days=1).problems == ()


@pytest.mark.parametrize(
    ("kept", "restores"),
    [
        ([backup(days=6, proof=PROOF)], []),
        ([backup(days=1), backup(days=7, proof=PROOF)], []),
        ([], [record(kind="drill")]),
        ([], [record(kind="drill in a second place", hours=-100)]),
    ],
)
def test_a_young_backup_that_was_restored_or_a_drill_lets_it_run(kept, restores):
    check_proven("production", {"003"}, BackupPolicy(), kept, restores, NOON)


@pytest.mark.parametrize(
    ("policy", "kept", "restores", "found"),
    [
        (BackupPolicy(), [], [], "no backup was restored and found good"),
        (BackupPolicy(), [backup(days=0), backup(days=1, proof=DAMAGED)], [], "no backup was restored"),
        (BackupPolicy(), [backup(days=9, proof=PROOF)], [], "(b9) is of 2026-02-23 12:00 UTC, 9.0 days old"),
        (SLOW, [backup(proof=PROOF)], [], "no backup was restored"),
        (BackupPolicy(), [], [record(kind="drill", outcome="unknown")], "no backup was restored"),
        (BackupPolicy(), [], [record(kind="restore")], "no backup was restored"),
        (BackupPolicy(), [], [record(kind="drill", hours=-240)], "the newest drill that passed is of 2026-02-22"),
    ],
    ids=["none", "not proven", "too old", "too slow", "unknown", "by hand", "old drill"],
)
def test_nothing_else_does_and_the_message_says_what_to_do(policy, kept, restores, found):
    with pytest.raises(Rejected) as refused:
        check_proven("production", {"004", "003"}, policy, kept, restores, NOON)

    said = str(refused.value)
    assert said.startswith("what is marked `contract` (003, 004) does not run in production: ")
    assert found in said
    assert f"at most 7 days ({KEY}.proven_within_days)" in said
    assert said.endswith("next: headway backup --environment production")

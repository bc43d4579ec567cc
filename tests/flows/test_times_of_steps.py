"""A step outlasts what it is around: what has a limit of its own is ended by that, and is heard when it says why."""

import pytest

from delivery.aws import rds, rds_copies, rds_reading, rds_snapshots
from delivery.docker.database import backup, point_in_time, wal_archive
from delivery.spec.backups import DrillPolicy
from tasks.backups import drill_archive, prove_backup, restore_backup, restore_moment, take_backup
from tasks.database import drop_database, start_database, use_database
from tasks.environment import withdraw_release
from tasks.recover import end_earlier_change, recover_environment
from tasks.warm import retire_kept

A_LOOK = rds_reading.MOST_SECONDS
A_COPY = rds_copies.GONE_SECONDS + rds_copies.RESTORE_SECONDS + rds_copies.SECRET_SECONDS
REACHED = rds.AVAILABLE_SECONDS + rds.SCRIPT_SECONDS


@pytest.mark.parametrize(
    ("step", "most_seconds"),
    [
        (take_backup, backup.MOST_SECONDS + wal_archive.BASE_SECONDS),
        (take_backup, 2 * A_LOOK + rds_snapshots.SNAPSHOT_SECONDS),
        (prove_backup, DrillPolicy().deadline_seconds),
        (prove_backup, A_COPY + 2 * A_LOOK),
        (drill_archive, DrillPolicy().deadline_seconds),
        (restore_backup, wal_archive.BASE_SECONDS + 2 * backup.MOST_SECONDS),
        (restore_backup, A_COPY + 4 * A_LOOK),
        (restore_moment, 2 * point_in_time.REPLAY_SECONDS + 2 * backup.MOST_SECONDS),
        (start_database, wal_archive.ARRIVES_SECONDS + wal_archive.BASE_SECONDS),
        (start_database, REACHED),
        (use_database, wal_archive.ARRIVES_SECONDS + wal_archive.BASE_SECONDS),
        (use_database, 2 * REACHED),
        (drop_database, 2 * REACHED),
        (recover_environment, withdraw_release.timeout_seconds),
        (end_earlier_change, withdraw_release.timeout_seconds),
        (retire_kept, withdraw_release.timeout_seconds),
    ],
)
def test_a_step_outlasts_the_limits_of_what_it_is_around(step, most_seconds):
    assert step.timeout_seconds >= most_seconds

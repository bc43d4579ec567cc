"""What a drill on RDS shows where RDS keeps no moments, and what is left there of a restore."""

from types import SimpleNamespace

import pytest

from delivery.aws.rds import RdsSettings
from delivery.aws.rds_backups import RdsBackups
from delivery.home import Home
from delivery.ports.database import unfinished_name
from delivery.ports.settings import EnvironmentSettings


def backups_of(tmp_path, instance, access=True):
    own = SimpleNamespace(
        settings=RdsSettings(instance="shop"),
        environment=EnvironmentSettings(app="shop", environment="production"),
        find=lambda: access or None,
        describe=lambda: instance,
    )
    return RdsBackups(own, Home(tmp_path), SimpleNamespace(client=lambda _: None))


@pytest.mark.parametrize("instance", [{"BackupRetentionPeriod": 0}, {}])
def test_a_drill_of_an_instance_that_keeps_no_automated_backups_fails_and_names_the_retention(tmp_path, instance):
    shown = backups_of(tmp_path, instance).drill("run-1", deadline_seconds=60)

    assert shown.outcome == "fail"
    assert shown.problems == (
        "RDS instance shop keeps no automated backups, so no moment can be gone back to: BackupRetentionPeriod is 0",
    )


def test_without_a_database_there_is_nothing_to_drill(tmp_path):
    assert backups_of(tmp_path, {"BackupRetentionPeriod": 7}, access=False).drill("run-1", deadline_seconds=60) is None


def test_what_a_killed_restore_left_on_the_instance_is_removed_and_named(tmp_path, monkeypatch):
    backups, asked = backups_of(tmp_path, {}), []
    backups.own.beside = lambda: ("app", unfinished_name("before"), "app_until_1")
    monkeypatch.setattr("delivery.aws.rds_copies.Copies.sweep", lambda _: ("copy",))
    monkeypatch.setattr("delivery.aws.rds_backups.run_sql", lambda _, name, script: asked.append((name, script)))

    assert backups.sweep() == ("RDS instance copy", f"database {unfinished_name('before')}")
    [(within, script)] = asked
    assert (within, f'drop database if exists "{unfinished_name("before")}"' in script) == ("app", True)

"""RDS: snapshots and points in time, of which instances are restored that hold what was there.

What AWS says stands with each operation in local_aws/services/rds_snapshots.py and rds_restores.py.
"""

import signal
from datetime import UTC, datetime, timedelta

import pytest

from delivery.waiting import until
from local_aws import pace
from tests.local_aws.test_rds import SMALL, Rds, error_of
from tests.support.local_aws import local_aws
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("local-aws-rds")]
PASSWORD = "of-the-source"
FIRST, SECOND = "insert into kept values (1)", "insert into kept values (2)"


class Kept(Rds):
    """What is in the table `kept`, and what is asked of backups."""

    def rows(self, name, password=PASSWORD):
        return [one["n"] for one in self.query(name, "select n from kept order by n", password=password)]

    def run(self, name, *texts):
        return [self.query(name, text, password=PASSWORD) for text in texts][-1]

    def now(self, name):
        return self.run(name, "select clock_timestamp() as now")[0]["now"]

    def snapshot(self, name, instance="shop"):
        self.ask.create_db_snapshot(DBSnapshotIdentifier=name, DBInstanceIdentifier=instance)
        return self.snapshot_awaited(name)

    def snapshot_awaited(self, name):
        def found():
            [one] = self.ask.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"]
            return one if one["Status"] == "available" else None

        return until(found, seconds=60, every=0.1)

    def backups(self, name="shop"):
        return self.ask.describe_db_instance_automated_backups(DBInstanceIdentifier=name)["DBInstanceAutomatedBackups"]

    def latest(self, moment, name="shop"):
        """Return the backups of an instance, once it can go back to a moment."""
        assert until(
            lambda: [
                one for one in self.backups(name) if one.get("RestoreWindow", {}).get("LatestTime", moment) > moment
            ],
            seconds=120,
            every=0.1,
        ), self.backups(name)
        return self.backups(name)[0]

    def back(self, target, source="shop", **asked):
        named = {"SourceDBInstanceIdentifier": source} if source else {}
        return self.ask.restore_db_instance_to_point_in_time(**named, TargetDBInstanceIdentifier=target, **asked)

    def gone(self, name, **asked):
        self.ask.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True, **asked)
        assert until(lambda: name not in self.names(), seconds=60, every=0.1)


@pytest.fixture(scope="module")
def rds(tmp_path_factory):
    """`shop`, of which there are backups."""
    with pytest.MonkeyPatch.context() as patched, own_platform(tmp_path_factory.mktemp("rds")) as home:
        patched.setenv(pace.VARIABLE, "1")
        yield from _opened(home)


def _opened(home):
    with local_aws(home.root) as server:
        rds = Kept(server, home)
        rds.ask.create_db_instance(**SMALL, DBInstanceIdentifier="shop", MasterUserPassword=PASSWORD)
        rds.awaited("shop")
        rds.run("shop", "create table kept (n int)")
        assert until(lambda: "RestoreWindow" in rds.backups()[0], seconds=60, every=0.1)
        yield rds


def test_a_snapshot_is_restored_into_an_instance_that_holds_what_was_there(rds):
    rds.run("shop", "truncate kept", FIRST)
    told = rds.snapshot("first")
    rds.run("shop", SECOND)

    begun = rds.ask.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="copy", DBSnapshotIdentifier="first", ManageMasterUserPassword=True, MultiAZ=False
    )["DBInstance"]

    assert (told["SnapshotType"], told["PercentProgress"], begun["DBInstanceStatus"]) == ("manual", 100, "creating")
    rds.awaited("copy")
    assert (rds.rows("copy", rds.secret("copy")["password"]), rds.rows("shop")) == ([1], [1, 2])
    rds.gone("copy")
    rds.ask.delete_db_snapshot(DBSnapshotIdentifier="first")
    assert error_of(rds.ask.describe_db_snapshots, DBSnapshotIdentifier="first").startswith("DBSnapshotNotFound")


@pytest.mark.long
def test_an_instance_goes_back_to_any_moment_between_its_first_backup_and_the_last_upload(rds):
    rds.run("shop", "truncate kept", FIRST)
    between = rds.now("shop")
    rds.run("shop", SECOND)
    rds.latest(rds.now("shop"))

    rds.back("then", RestoreTime=between)
    rds.back("now", UseLatestRestorableTime=True)

    rds.awaited("then")
    rds.awaited("now")
    assert (rds.rows("then"), rds.rows("now")) == ([1], [1, 2])
    rds.gone("then")
    rds.gone("now")


def test_what_cannot_be_restored_is_refused(rds):
    rds.snapshot("other")
    name = {"DBInstanceIdentifier": "no"}
    from_snapshot, at = rds.ask.restore_db_instance_from_db_snapshot, rds.backups()[0]["RestoreWindow"]
    early, late = at["EarliestTime"] - timedelta(seconds=2), datetime.now(UTC) + timedelta(hours=1)
    cases = {
        "late": (rds.back, {"target": "no", "RestoreTime": late}),
        "early": (rds.back, {"target": "no", "RestoreTime": early}),
        "both": (rds.back, {"target": "no", "RestoreTime": at["EarliestTime"], "UseLatestRestorableTime": True}),
        "neither": (rds.back, {"target": "no"}),
        "taken": (rds.back, {"target": "shop", "UseLatestRestorableTime": True}),
        "no source": (rds.back, {"target": "no", "source": "nobody", "UseLatestRestorableTime": True}),
        "no backups": (rds.back, {"target": "no", "source": "", "SourceDbiResourceId": "db-NONE"}),
        "name": (from_snapshot, {"DBInstanceIdentifier": "shop", "DBSnapshotIdentifier": "other"}),
        "no snapshot": (from_snapshot, {**name, "DBSnapshotIdentifier": "none"}),
        "group": (from_snapshot, {**name, "DBSnapshotIdentifier": "other", "VpcSecurityGroupIds": ["sg-none"]}),
        "subnets": (from_snapshot, {**name, "DBSnapshotIdentifier": "other", "DBSubnetGroupName": "none"}),
        "parameters": (from_snapshot, {**name, "DBSnapshotIdentifier": "other", "DBParameterGroupName": "none"}),
        "again": (rds.ask.create_db_snapshot, {"DBSnapshotIdentifier": "other", "DBInstanceIdentifier": "shop"}),
        "of nobody": (rds.ask.create_db_snapshot, {"DBSnapshotIdentifier": "x", "DBInstanceIdentifier": "nobody"}),
    }

    found = {what: error_of(call, **asked) for what, (call, asked) in cases.items()}

    assert found == {
        "late": "InvalidRestoreFault",
        "early": "InvalidRestoreFault",
        "both": "InvalidParameterCombination",
        "neither": "InvalidParameterCombination",
        "taken": "DBInstanceAlreadyExists",
        "no source": "DBInstanceNotFound",
        "no backups": "DBInstanceAutomatedBackupNotFound",
        "name": "DBInstanceAlreadyExists",
        "no snapshot": "DBSnapshotNotFound",
        "group": "InvalidParameterValue",
        "subnets": "DBSubnetGroupNotFoundFault",
        "parameters": "DBParameterGroupNotFound",
        "again": "DBSnapshotAlreadyExists",
        "of nobody": "DBInstanceNotFound",
    }
    assert rds.names() == {"shop"}


def test_a_snapshot_that_is_not_made_yet_is_neither_restored_nor_deleted(rds):
    rds.ask.create_db_snapshot(DBSnapshotIdentifier="young", DBInstanceIdentifier="shop")
    restore = rds.ask.restore_db_instance_from_db_snapshot
    asked = {"DBInstanceIdentifier": "no", "DBSnapshotIdentifier": "young"}

    found = error_of(restore, **asked), error_of(rds.ask.delete_db_snapshot, DBSnapshotIdentifier="young")

    assert found == ("InvalidDBSnapshotState", "InvalidDBSnapshotState")
    rds.snapshot_awaited("young")


@pytest.mark.long
def test_after_kills_backups_are_as_they_were_and_what_was_asked_for_is_done(rds):
    rds.run("shop", "truncate kept", FIRST)
    rds.snapshot("before")
    between = rds.now("shop")
    rds.run("shop", SECOND)
    rds.latest(rds.now("shop"))
    rds.back("then", RestoreTime=between)
    rds.ask.create_db_snapshot(DBSnapshotIdentifier="meanwhile", DBInstanceIdentifier="shop")
    rds.server.stop(signal.SIGKILL)
    rds.server.start()

    rds.awaited("then")
    rds.snapshot_awaited("meanwhile")
    for name, snapshot in (("one", "before"), ("two", "meanwhile")):
        rds.ask.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=snapshot)
    for name in ("one", "two"):
        rds.awaited(name)

    assert {name: rds.rows(name) for name in ("then", "one", "two")} == {"then": [1], "one": [1], "two": [1, 2]}
    for name in ("then", "one", "two"):
        rds.gone(name)


@pytest.mark.long
def test_what_is_kept_of_an_instance_that_is_gone_is_restored(rds):
    rds.ask.create_db_instance(**SMALL, DBInstanceIdentifier="lost", MasterUserPassword=PASSWORD)
    rds.awaited("lost")
    rds.run("lost", "create table kept (n int)", FIRST)
    assert until(lambda: "RestoreWindow" in rds.backups("lost")[0], seconds=60, every=0.1)
    key = rds.described("lost")["DbiResourceId"]
    rds.ask.delete_db_instance(
        DBInstanceIdentifier="lost", FinalDBSnapshotIdentifier="last", DeleteAutomatedBackups=False
    )
    assert until(lambda: "lost" not in rds.names(), seconds=60, every=0.1)

    [kept] = rds.backups("lost")
    rds.back("again", source="", SourceDbiResourceId=key, RestoreTime=kept["RestoreWindow"]["LatestTime"])
    rds.ask.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="final", DBSnapshotIdentifier="last")

    assert (kept["Status"], kept["DbiResourceId"]) == ("retained", key)
    rds.awaited("again")
    rds.awaited("final")
    assert (rds.rows("again"), rds.rows("final")) == ([1], [1])


@pytest.mark.long
def test_what_was_restored_is_backed_up_as_any_other(rds):
    rds.run("shop", "truncate kept", FIRST)
    rds.snapshot("of-shop")
    rds.ask.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="second", DBSnapshotIdentifier="of-shop")
    rds.awaited("second")
    rds.latest(rds.now("second"), "second")
    between = rds.now("second")
    rds.run("second", SECOND)
    rds.latest(rds.now("second"), "second")

    rds.back("third", source="second", RestoreTime=between)

    rds.awaited("third")
    assert (rds.rows("third"), rds.rows("second")) == ([1], [1, 2])
    rds.gone("second")
    rds.gone("third")


@pytest.mark.long
def test_an_instance_keeps_backups_from_when_it_is_asked_to_until_it_is_asked_not_to(rds):
    none = {**SMALL, "DBInstanceIdentifier": "none", "MasterUserPassword": PASSWORD, "BackupRetentionPeriod": 0}
    rds.ask.create_db_instance(**none)
    rds.awaited("none")
    assert (rds.backups("none"), rds.described("none").get("LatestRestorableTime")) == ([], None)
    assert error_of(rds.back, target="no", source="none", UseLatestRestorableTime=True).startswith("PointInTimeRestore")

    rds.ask.modify_db_instance(DBInstanceIdentifier="none", BackupRetentionPeriod=1)

    assert until(lambda: "RestoreWindow" in rds.backups("none")[0], seconds=60, every=0.1)
    rds.ask.modify_db_instance(DBInstanceIdentifier="none", BackupRetentionPeriod=0)
    assert rds.ask.describe_db_snapshots(DBInstanceIdentifier="none")["DBSnapshots"] == []
    rds.gone("none")


@pytest.mark.long
def test_a_copy_in_another_region_is_restored_there(rds):
    rds.run("shop", "truncate kept", FIRST)
    arn = rds.snapshot("here")["DBSnapshotArn"]
    there = Kept(rds.server, rds.home)
    there.ask = rds.server.client("rds", region="eu-west-1")

    there.ask.copy_db_snapshot(
        SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier="far", SourceRegion="us-east-1"
    )
    rds.ask.delete_db_snapshot(DBSnapshotIdentifier="here")
    there.ask.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier="far")

    assert ":eu-west-1:" in there.awaited("shop")["DBInstanceArn"]
    assert there.rows("shop") == [1]
    there.gone("shop")

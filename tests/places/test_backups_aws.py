"""Backups of a database on RDS, on a local AWS whose instances hold real data: all of them take their time."""

import base64
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from delivery.aws.jobs import EcsJobs
from delivery.aws.rds import RdsDatabase, RdsSettings
from delivery.aws.rds_backups import RdsBackups
from delivery.aws.rds_copies import BEGUN, ROLE, Source
from delivery.aws.rds_looks import LOOK, Look
from delivery.aws.rds_reading import run_sql
from delivery.aws.rds_snapshots import Snapshots, snapshot_in, tag_list
from delivery.changes.kept import expired
from delivery.changes.ledger import LABEL_APP, LABEL_ENVIRONMENT, LABEL_EXPIRES, LABEL_ROLE
from delivery.errors import Misconfigured, Rejected, Transient
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.backups import BackupPolicy
from delivery.spec.masking import Masking
from delivery.waiting import until
from tests.places.environment_contract import DatabaseContract
from tests.support.aws_room import INSTANCE, make_room
from tests.support.local_aws import local_aws
from tests.support.rds_shop import FILLED, GROUPS, as_application, copies, make_groups

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.xdist_group("aws-backups")]


@pytest.fixture(scope="module")
def server(home):
    with local_aws(home.root, minute_seconds=1) as server:
        yield server


@pytest.fixture(scope="module")
def group(server):
    """A security group, a subnet group and a parameter group, none of which AWS would choose by itself."""
    return make_groups(server)


@pytest.fixture(scope="module")
def opened(server, home, group):
    server.client("s3").create_bucket(Bucket="artifacts")
    environment = EnvironmentSettings(app="shop", environment="production")
    jobs = EcsJobs(server.access(), make_room(server.client, "artifacts"), environment)
    server.client("rds").create_db_instance(
        **INSTANCE, **GROUPS, VpcSecurityGroupIds=[group], ManageMasterUserPassword=True
    )
    database = RdsDatabase(server.access(), jobs, environment, RdsSettings(instance="shop"), run="run-0")
    return SimpleNamespace(
        jobs=jobs, database=database, backups=RdsBackups(database, home, server.access(), ("pages",))
    )


@pytest.fixture(scope="module")
def filled(opened):
    """The application's database with something of each kind in it, made as the application."""
    opened.database.run_script(FILLED, opened.database.ensure())
    return opened


@pytest.fixture
def kept(filled, request):
    """A backup of its own for a test, which is gone afterwards."""
    kept = filled.backups.take(request.node.name, "by hand")
    yield kept
    filled.backups.forget(kept.name)


@pytest.fixture
def asked(home):
    """Count how often an operation was done."""

    def count(operation):
        lines = (home.root / "aws" / "requests.jsonl").read_text().splitlines()
        bodies = [json.loads(line)["body"] for line in lines]
        return sum(f"Action={operation}&" in base64.b64decode(body).decode(errors="replace") for body in bodies)

    return count


class TestBackupsOnRds:
    """The contract of backups, as far as RDS keeps them."""

    def test_there_are_none_before_there_is_a_database(self, opened):
        assert opened.backups.take("run-1", "by hand") is None
        assert [one for one in opened.backups.kept() if not one.of_the_place] == []
        with pytest.raises(Misconfigured, match="is not kept"):
            opened.backups.prove("none", "run-1")

    test_its_backup_is_proven = DatabaseContract.test_its_backup_is_proven
    test_a_kept_backup_comes_back_beside_the_live_database_and_may_take_its_place = (
        DatabaseContract.test_a_kept_backup_comes_back_beside_the_live_database_and_may_take_its_place
    )

    test_a_moment_that_is_not_kept_is_refused = DatabaseContract.test_a_moment_that_is_not_kept_is_refused

    def test_data_of_another_environment_does_not_come_here(self, opened):
        with pytest.raises(Misconfigured, match="refresh: the database is RDS's; allowed: an environment on a Docker"):
            opened.backups.restore_masked("staging", "latest", "masked", Masking(), "run-1")


def test_all_that_is_in_a_backup_comes_back_and_belongs_to_the_application(filled, kept, server):
    as_application(filled, "truncate parcel; drop schema own cascade; select lo_unlink(4711);")

    restored = filled.backups.restore(kept.name, "before", "run-1")

    script = "begin; insert into parcel (note) values ('next') returning id > 20; rollback; select n from own.one;"
    content = "select convert_from(lo_get(4711), 'UTF8'), count from counted;"
    assert (restored.rows, restored.tables) == (kept.rows, kept.tables)
    assert as_application(filled, f"{script} show lock_timeout;", "before") == ["t", "1", "5s"]
    assert as_application(filled, content, "before") == ["of", "the", "shop|20"]
    assert copies(server) == set()
    filled.database.drop(filled.database.use("before"))


def test_a_backup_that_is_not_what_was_there_is_told(filled, kept, home, server):
    file = home.backups / "shop" / "production" / snapshot_in(kept) / LOOK
    look = Look.model_validate_json(file.read_bytes())
    states = tuple(one.model_copy(update={"rows": 19}) if one.name == "public.parcel" else one for one in look.states)
    file.write_text(look.model_copy(update={"states": states}).model_dump_json())

    proof = filled.backups.prove(kept.name, "run-1")

    assert (proof.outcome, proof.differences) == (
        "fail",
        ("table public.parcel: 19 in the database, 20 in the copy",),
    )
    with pytest.raises(Rejected, match=r"otherwise than it was: table public\.parcel: 19 in the"):
        filled.backups.restore(kept.name, "other", "run-1")
    assert (filled.database.beside(), copies(server)) == (("app",), set())


def test_an_unlogged_table_damages_no_backup_and_fails_no_drill(filled, server):
    as_application(filled, "create unlogged table cache as select n from generate_series(1, 1000) n;")
    kept = filled.backups.take("run-unlogged", "by hand")

    proof = filled.backups.prove(kept.name, "run-unlogged")
    restored = filled.backups.restore(kept.name, "with_cache", "run-unlogged")
    shown = filled.backups.drill("run-unlogged", deadline_seconds=300)

    assert (proof.outcome, proof.differences) == ("pass", ())
    assert restored.beside == ("public.cache: 0 rows, 1000 in the database in use, not the same ones",)
    assert (shown.outcome, shown.problems) == ("pass", ())
    filled.database.drop("with_cache")
    filled.backups.forget(kept.name)
    as_application(filled, "drop table cache;")


def test_a_backup_is_proven_while_the_application_goes_on_writing(filled, monkeypatch):
    awaited = Snapshots.awaited

    def busy(self, name):
        as_application(filled, "insert into parcel (note) values ('meanwhile');")
        return awaited(self, name)

    with monkeypatch.context() as patched:
        patched.setattr(Snapshots, "awaited", busy)
        kept = filled.backups.take("run-busy", "by hand")

    proof = filled.backups.prove(kept.name, "run-busy")

    assert (proof.outcome, proof.moved) == ("pass", 1)
    filled.backups.forget(kept.name)
    as_application(filled, "delete from parcel where note = 'meanwhile'; select setval('parcel_id_seq', 20);")


def test_a_run_takes_one_backup_for_a_reason_also_when_answers_are_lost(filled, server, asked):
    before = asked("CreateDBSnapshot")
    server.put_faults(
        {"service": "rds", "operation": "CreateDBSnapshot", "kind": "throttled"},
        {"service": "rds", "operation": "CreateDBSnapshot", "kind": "answer lost"},
    )

    first, again = (filled.backups.take("run-lost", "before a migration") for _ in range(2))

    assert (first, first.of_the_place, first.run) == (again, False, "run-lost")
    assert asked("CreateDBSnapshot") == before + 1
    assert [one.name for one in filled.backups.kept() if one.run == "run-lost"] == [first.name]
    filled.backups.forget(first.name)
    assert [one.name for one in filled.backups.kept() if one.run == "run-lost"] == []


@pytest.mark.parametrize("at", ["delivery.aws.rds_looks.Looks.finish", "delivery.aws.rds_snapshots.Snapshots.finish"])
def test_a_backup_whose_process_was_killed_is_finished_by_the_next(filled, asked, monkeypatch, at):
    before, killed, run = asked("CreateDBSnapshot"), Transient("killed"), f"run-killed-{at}"

    def kill(*_, **__):
        raise killed

    with monkeypatch.context() as patched:
        patched.setattr(at, kill)
        with pytest.raises(Transient):
            filled.backups.take(run, "by hand")
    assert [one for one in filled.backups.kept() if one.run == run] == []

    kept = filled.backups.take(run, "by hand")

    assert (asked("CreateDBSnapshot"), kept.rows) == (before + 1, 21)
    assert filled.backups.prove(kept.name, run).outcome == "pass"
    filled.backups.forget(kept.name)


def test_a_copy_that_a_killed_process_began_is_used_and_has_all_that_the_source_has(filled, kept, server, asked, group):
    before, restoring = asked("RestoreDBInstanceFromDBSnapshot"), filled.backups.copies
    source = Source(snapshot=snapshot_in(kept))
    server.put_faults({"service": "rds", "operation": "RestoreDBInstanceFromDBSnapshot", "kind": "answer lost"})
    left = restoring.opened(source, "proof", "run-2")
    copy = left.__enter__()  # a process that is killed leaves it so
    told = copy.database.describe()

    proof = filled.backups.prove(kept.name, "run-2")

    assert (proof.outcome, proof.moved) == ("pass", 0)
    assert asked("RestoreDBInstanceFromDBSnapshot") == before + 1
    assert [one["VpcSecurityGroupId"] for one in told["VpcSecurityGroups"]] == [group]
    assert told["DBSubnetGroup"]["DBSubnetGroupName"] == "shop-subnets"
    assert [one["DBParameterGroupName"] for one in told["DBParameterGroups"]] == ["shop-parameters"]
    assert copies(server) == set()


def test_a_copy_that_was_damaged_is_not_taken_for_the_backup(filled, kept, asked):
    before = asked("RestoreDBInstanceFromDBSnapshot")
    left = filled.backups.copies.opened(Source(snapshot=snapshot_in(kept)), "proof", "run-3")
    left.__enter__().mark_damaged()

    assert filled.backups.prove(kept.name, "run-3").outcome == "pass"
    assert asked("RestoreDBInstanceFromDBSnapshot") == before + 2


def test_copies_whose_time_is_over_are_removed_and_no_others(filled, server):
    now, rds = datetime.now(UTC), server.client("rds")
    whose = {LABEL_ROLE: ROLE, LABEL_APP: "shop", BEGUN: now.isoformat()}
    over, later = (now + timedelta(hours=hours) for hours in (-1, 1))
    made = {
        "over": {**whose, LABEL_ENVIRONMENT: "production", LABEL_EXPIRES: over.isoformat()},
        "later": {**whose, LABEL_ENVIRONMENT: "production", LABEL_EXPIRES: later.isoformat()},
        "other": {**whose, LABEL_ENVIRONMENT: "staging", LABEL_EXPIRES: over.isoformat()},
    }
    for name, tags in made.items():
        named = {**INSTANCE, "DBInstanceIdentifier": name, "Tags": tag_list(tags)}
        rds.create_db_instance(**named, MasterUserPassword="long-enough")

    assert filled.backups.sweep() == ("RDS instance over",)
    assert copies(server) == {"later", "other"}
    for name in ("later", "other"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


SUMS = "select count(*) || ' ' || sum(hashtext(parcel::text)) from parcel;"


def moment_of(opened):
    """Return the moment that the server has now."""
    [at] = as_application(
        opened, "select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US');"
    )
    return datetime.fromisoformat(at).replace(tzinfo=UTC)


def until_restorable(server, moment):
    rds = server.client("rds")

    def passed():
        return rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["LatestRestorableTime"] > moment

    assert until(passed, seconds=60, every=0.1)


def test_what_an_accidental_delete_took_comes_back_as_it_was_just_before(filled, server, record_property):
    before = as_application(filled, SUMS)
    moment = moment_of(filled)
    as_application(filled, "delete from parcel where id <= 15;")
    until_restorable(server, moment_of(filled))
    decided = datetime.now(UTC)

    restored = filled.backups.restore_at(moment, "before_it", "run-1")

    rto, rpo = (datetime.now(UTC) - decided).total_seconds(), (filled.backups.reach().latest - moment).total_seconds()
    print(f"RTO {rto:.1f} s, {rpo:.1f} s of changes given up")
    record_property("rto_seconds", rto)
    assert (restored.database, as_application(filled, SUMS, "before_it")) == ("before_it", before)
    assert restored.at == moment
    assert restored.beside == ("public.parcel: 20 rows, 5 in the database in use, not the same ones",)
    assert (as_application(filled, SUMS)[0].split()[0], copies(server)) == ("5", set())
    filled.database.drop(filled.database.use("before_it"))


def test_moments_that_cannot_be_gone_back_to_are_refused_with_those_that_can(filled, server):
    there, asked = filled.backups.reach(), timedelta(days=1)

    for moment in (there.earliest - asked, there.latest + asked):
        with pytest.raises(Misconfigured, match=r"moment .* cannot be restored to a time .* than .*; allowed: from 20"):
            filled.backups.restore_at(moment, "then", "run-1")

    assert there.earliest < there.latest <= datetime.now(UTC)
    assert (filled.database.beside(), copies(server)) == (("app",), set())


def test_a_name_that_is_taken_is_refused_before_anything_is_restored(filled, kept, server, asked):
    before = asked("RestoreDBInstanceFromDBSnapshot")

    with pytest.raises(Misconfigured, match="database app of production: is there already"):
        filled.backups.restore(kept.name, "app", "run-1")

    assert (asked("RestoreDBInstanceFromDBSnapshot"), copies(server)) == (before, set())


def test_what_a_killed_restore_left_on_the_instance_goes_with_the_next_one(filled, kept):
    run_sql(filled.database, "app", "create database headway_unfinished_0a;\n")

    filled.backups.restore(kept.name, "again", "run-5")

    assert filled.database.beside() == ("app", "again")
    filled.database.drop("again")


def test_a_drill_goes_back_to_just_now_and_nothing_of_it_stays(filled, server, record_property):
    shown = filled.backups.drill("run-drill", deadline_seconds=300)

    assert (shown.outcome, shown.problems, shown.unchecked) == ("pass", (), ())
    assert (shown.tables, shown.rows) == (2, 21)
    assert 0 < shown.rpo_seconds <= 1.1
    print(f"drill: RTO {shown.rto_seconds} s, RPO {shown.rpo_seconds} s")
    record_property("rto_seconds", shown.rto_seconds)
    assert (copies(server), sentinels(filled)) == (set(), ["1"])  # that of the shop is its own object


def sentinels(opened):
    return as_application(opened, "select count(*) from pg_largeobject_metadata;")


def test_a_drill_whose_process_was_killed_goes_on_with_what_it_began(filled, server, asked, monkeypatch):
    before, killed = asked("RestoreDBInstanceToPointInTime"), Transient("killed")

    def kill(*_, **__):
        raise killed

    with monkeypatch.context() as patched:
        patched.setattr("delivery.aws.rds_copies.Copies._with_secret", kill)
        patched.setattr("delivery.aws.rds_copies.delete_instance", lambda *_: None)
        with pytest.raises(Transient):
            filled.backups.drill("run-killed", deadline_seconds=300)
    [left] = copies(server)

    shown = filled.backups.drill("run-killed", deadline_seconds=300)

    assert (shown.outcome, left.startswith("headway-drill-")) == ("pass", True)
    assert asked("RestoreDBInstanceToPointInTime") == before + 1
    assert (copies(server), sentinels(filled)) == (set(), ["1"])


def test_a_drill_that_does_not_come_to_its_end_is_ended_and_has_failed(filled, server):
    shown = filled.backups.drill("run-late", deadline_seconds=4)

    assert (shown.outcome, shown.problems[0].startswith("ended at its deadline of 4 s")) == ("fail", True)
    assert (copies(server), sentinels(filled)) == (set(), ["1"])


@pytest.mark.parametrize(
    ("at", "found", "outcome", "told"),
    [
        ("delivery.aws.rds_drill.look_at_damaged", lambda *args, **_: args[2], "broken", "was not noticed"),
        ("delivery.aws.rds_drill.check_indexes", lambda *_, **__: ((), ("not checked: tables",)), "unknown", "tables"),
        ("delivery.aws.rds_drill.check_indexes", lambda *_, **__: (("index parcel_pkey",), ()), "fail", "parcel_pkey"),
    ],
)
def test_a_drill_that_cannot_tell_or_finds_something_is_no_pass(filled, server, monkeypatch, at, found, outcome, told):
    monkeypatch.setattr(at, found)

    shown = filled.backups.drill(f"run-{outcome}", deadline_seconds=300)

    assert (shown.outcome, told in str((*shown.problems, *shown.unchecked))) == (outcome, True)
    assert copies(server) == set()


def test_snapshots_of_rds_itself_are_shown_and_never_forgotten(filled):
    theirs = [one for one in filled.backups.kept() if one.of_the_place]

    assert {(one.reason, one.run, one.rows) for one in theirs} == {("by schedule", "", 0)}
    assert expired(theirs, BackupPolicy(keep=1, keep_days=1), datetime.now(UTC) + timedelta(days=99)) == []
    filled.backups.forget(theirs[0].name)
    assert theirs[0].name in [one.name for one in filled.backups.kept()]
    with pytest.raises(Misconfigured, match="what was in the database when it was taken is not known here"):
        filled.backups.prove(theirs[0].name, "run-1")


def test_an_instance_that_keeps_no_automated_backups_has_no_moments_and_no_drill(filled, server):
    rds, named = server.client("rds"), {"DBInstanceIdentifier": "shop", "ApplyImmediately": True}
    rds.modify_db_instance(**named, BackupRetentionPeriod=0)
    filled.database.available()

    assert (filled.backups.reach(), filled.backups.drill("run-none", deadline_seconds=60)) == (None, None)
    with pytest.raises(Misconfigured, match="allowed: no moment: it keeps no automated backups yet"):
        filled.backups.restore_at(datetime.now(UTC), "then", "run-1")
    rds.modify_db_instance(**named, BackupRetentionPeriod=1)
    filled.database.available()

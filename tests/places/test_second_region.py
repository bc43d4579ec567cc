"""Backups of a database on RDS in a second region, by AWS Backup, on a local AWS whose instances hold real data."""

import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import botocore.client
import pytest
from botocore.exceptions import EndpointConnectionError

from delivery.aws.rds_copies import BEGUN, ROLE
from delivery.aws.rds_looks import LOOK, Look
from delivery.aws.rds_snapshots import tag_list
from delivery.aws.second_region import UNREAD
from delivery.aws.second_settings import SecondSettings
from delivery.changes.ledger import LABEL_EXPIRES, LABEL_ROLE
from delivery.errors import Misconfigured, Rejected, Transient
from tests.architecture.sources import ROOT
from tests.support.aws_room import INSTANCE, make_room
from tests.support.local_aws import REGION, local_aws
from tests.support.rds_shop import FILLED, GROUPS, as_application, make_groups
from tests.support.second_region_victim import Opens

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.xdist_group("aws-second-region")]
AWAY = "eu-west-1"
JOBS = (("backup", REGION), ("copy", REGION), ("restore", AWAY))
DENIED = {"service": "backup", "kind": "denied", "times": 99}


@pytest.fixture(scope="module")
def server(home):
    with local_aws(home.root, minute_seconds=1) as server:
        yield server


@pytest.fixture(scope="module")
def settings(server):
    """Vaults in two regions, and in the second one all that a restored database and a task beside it need."""

    def there(service):
        return server.client(service, region=AWAY)

    server.client("backup").create_backup_vault(BackupVaultName="vault")
    vault = there("backup").create_backup_vault(BackupVaultName="away")["BackupVaultArn"]
    role = server.client("iam").create_role(RoleName="backup", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    return SecondSettings(
        region=AWAY,
        vault="vault",
        copy_vault=vault,
        role=role,
        keep_days=35,
        subnet_group=GROUPS["DBSubnetGroupName"],
        security_groups=(make_groups(server, AWAY),),
        parameter_group=GROUPS["DBParameterGroupName"],
        tasks=make_room(there, "", role="execution-away"),
    )


@pytest.fixture(scope="module")
def opened(server, home, settings):
    """The application's database in the first region with something of each kind in it, and its second region."""
    server.client("s3").create_bucket(Bucket="artifacts")
    room = make_room(server.client, "artifacts")
    named = {"VpcSecurityGroupIds": [make_groups(server)], "BackupRetentionPeriod": 1}
    server.client("rds").create_db_instance(**INSTANCE, **GROUPS, **named, ManageMasterUserPassword=True)
    opens = Opens(server.account(), room, home.root, settings)
    database = opens().own
    database.run_script(FILLED, database.ensure())

    def second(**other):
        return replace(opens, settings=replace(settings, **other))()

    return SimpleNamespace(database=database, second=second, opens=opens)


@pytest.fixture
def second(opened):
    return opened.second()


@pytest.fixture(scope="module")
def sent(opened):
    """What is told once Headway has sent a copy."""
    return opened.second().send("run-first")


@pytest.fixture
def there(server):
    """The names of the instances in the second region that are not on their way out."""

    def names():
        found = server.client("rds", region=AWAY).describe_db_instances()["DBInstances"]
        return {one["DBInstanceIdentifier"] for one in found if one["DBInstanceStatus"] != "deleting"}

    return names


@pytest.fixture
def jobs(server):
    """Count the jobs of a kind in a region."""

    def count(kind, region=REGION):
        client = server.client("backup", region=region)
        return len(getattr(client, f"list_{kind}_jobs")()[f"{kind.capitalize()}Jobs"])

    return count


def lose(server, kind):
    server.put_faults({"service": "backup", "operation": f"PUT /{kind}-jobs/?", "kind": "answer lost"})


def killed(*_, **__):
    raise Transient("killed")


def lose_region(patched, region):
    """Let nothing of a region be reached any more."""
    ask = botocore.client.BaseClient._make_api_call

    def only_others(client, operation, given):
        if client.meta.region_name == region:
            raise EndpointConnectionError(endpoint_url=f"https://{client.meta.service_model.service_name}.{region}")
        return ask(client, operation, given)

    patched.setattr(botocore.client.BaseClient, "_make_api_call", only_others)


def test_a_place_without_copies_says_so(second):
    found = second.copies()

    assert (found.where, found.newest, found.count, found.problem) == (f"{AWAY}, vault away", None, 0, "")
    shown = second.drill("run-none", deadline_seconds=60)
    assert (shown.outcome, "none of instance shop is there" in shown.problems[0]) == ("fail", True)


def test_a_backup_is_sent_and_told_with_its_moment_and_lag(sent):
    age = (datetime.now(UTC) - sent.newest).total_seconds()

    print(f"lag {sent.lag_seconds} s")
    assert (sent.count, sent.problem, sent.where) == (1, "", f"{AWAY}, vault away")
    assert 0 < sent.lag_seconds <= age


def test_what_is_sent_is_tagged_and_kept_for_as_long_as_is_said(sent, server):
    client = server.client("backup")
    [job] = client.list_backup_jobs()["BackupJobs"]
    tags = client.list_tags(ResourceArn=job["RecoveryPointArn"])["Tags"]

    named = [tags[f"headway.{one}"] for one in ("app", "environment", "run")]
    assert (named, job["RecoveryPointLifecycle"]) == (["shop", "production", "run-first"], {"DeleteAfterDays": 35})


def test_a_drill_restores_the_newest_copy_there_and_nothing_of_it_stays(sent, second, there, record_property):
    shown = second.drill("run-drill", deadline_seconds=300)

    print(f"RTO {shown.rto_seconds} s, RPO {shown.rpo_seconds} s")
    record_property("rto_seconds", shown.rto_seconds)
    assert (shown.outcome, shown.problems, shown.unchecked) == ("pass", (), ())
    assert (shown.where, shown.tables, shown.rows) == (f"{AWAY}, vault away", 2, 21)
    assert (shown.rpo_seconds >= sent.lag_seconds, shown.rto_seconds > 0, there()) == (True, True, set())


def test_a_copy_is_restored_with_all_that_is_said_of_the_second_region(sent, second, settings):
    metadata = second.vault.metadata(second.vault.point("latest"), "shop-away")

    assert metadata["VpcSecurityGroupIds"] == f'["{settings.security_groups[0]}"]'
    groups = ("DBSubnetGroupName", "DBParameterGroupName", "MultiAZ", "PubliclyAccessible")
    assert [metadata[one] for one in groups] == ["shop-subnets", "shop-parameters", "false", "false"]
    assert not {"AvailabilityZone", "DBName"} & set(metadata)


def test_a_copy_that_is_not_what_was_there_fails_its_drill(sent, second, home, there):
    [file] = home.backups.glob(f"shop/production/second-region-*/{LOOK}")
    was = file.read_text()
    look = Look.model_validate_json(was)
    states = tuple(one.model_copy(update={"rows": 19}) if one.name == "public.parcel" else one for one in look.states)
    file.write_text(look.model_copy(update={"states": states}).model_dump_json())

    shown = second.drill("run-other", deadline_seconds=300)

    file.write_text(was)
    assert (shown.outcome, shown.problems) == ("fail", ("table public.parcel: 19 in the database, 20 in the copy",))
    assert there() == set()


def test_damage_that_is_not_noticed_is_a_broken_drill(sent, second, monkeypatch, there):
    monkeypatch.setattr("delivery.aws.second_drill.look_at_damaged", lambda *args, **_: args[2])

    shown = second.drill("run-broken", deadline_seconds=300)

    assert (shown.outcome, shown.problems) == ("broken", ("damage to the copy was not noticed",))
    assert there() == set()


def test_without_a_task_there_nobody_reads_it_and_that_is_no_pass(sent, opened, there):
    shown = opened.second(tasks=None).drill("run-unread", deadline_seconds=300)

    assert (shown.outcome, "target.second_region.tasks" in shown.unchecked[0]) == ("unknown", True)
    assert (shown.rto_seconds > 0, there()) == (True, set())


def test_without_a_network_there_nothing_is_restored_into_the_default_one(sent, opened, jobs):
    before, bare = jobs("restore", AWAY), opened.second(subnet_group=None)

    shown = bare.drill("run-bare", deadline_seconds=300)

    assert (shown.outcome, "target.second_region.subnet_group" in shown.unchecked[0]) == ("unknown", True)
    with pytest.raises(Misconfigured, match=r"nobody says target\.second_region\.subnet_group"):
        bare.restore("latest", "shop-away", "run-bare")
    assert jobs("restore", AWAY) == before


def test_a_drill_that_does_not_come_to_its_end_is_ended_and_has_failed(sent, second, there):
    shown = second.drill("run-late", deadline_seconds=2)

    assert (shown.outcome, "ended at its deadline of 2 s" in shown.problems[0]) == ("fail", True)
    assert there() == set()


def test_an_answer_that_is_lost_starts_nothing_twice(opened, second, sent, server, jobs, there):
    before = jobs("backup"), jobs("copy"), jobs("restore", AWAY)
    as_application(opened, "insert into parcel (note) values ('late');")
    lose(server, "backup")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("delivery.aws.backup_jobs.BackupJobs.copy", killed)
        with pytest.raises(Transient):
            second.send("run-lost")
    lose(server, "copy")
    told = second.send("run-lost")
    lose(server, "restore")

    shown = second.drill("run-lost", deadline_seconds=300)

    assert (told.problem, shown.outcome, shown.rows) == ("", "pass", 22)
    assert (jobs("backup"), jobs("copy"), jobs("restore", AWAY)) == tuple(one + 1 for one in before)
    assert (there(), server.faults_left()) == (set(), [])


@pytest.mark.parametrize(
    "at",
    [
        "delivery.aws.second_instances.SecondInstances._appeared",
        "delivery.aws.second_instances.SecondInstances._let_in",
        "delivery.aws.second_drill.check_indexes",
    ],
)
def test_a_drill_whose_process_was_killed_goes_on_with_what_it_began(sent, second, jobs, there, at):
    before, run = jobs("restore", AWAY), f"run-killed-{at}"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(at, killed)
        patched.setattr("delivery.aws.second_instances.delete_instance", lambda *_: None)
        with pytest.raises(Transient):
            second.drill(run, deadline_seconds=300)

    shown = second.drill(run, deadline_seconds=300)

    assert (shown.outcome, jobs("restore", AWAY), there()) == ("pass", before + 1, set())


def test_a_copy_that_a_killed_drill_damaged_is_not_taken_for_the_backup(sent, second, jobs, there):
    before = jobs("restore", AWAY)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("delivery.aws.second_drill.look_at_damaged", killed)
        patched.setattr("delivery.aws.second_instances.delete_instance", lambda *_: None)
        with pytest.raises(Transient):
            second.drill("run-damaged", deadline_seconds=300)

    shown = second.drill("run-damaged", deadline_seconds=300)

    assert (shown.outcome, jobs("restore", AWAY), there()) == ("pass", before + 2, set())


@pytest.mark.parametrize(
    ("what", "last", "when"),
    [
        ("send", "StartBackupJob", "after"),
        ("send", "StartCopyJob", "before"),
        ("send", "StartCopyJob", "after"),
        ("drill", "StartRestoreJob", "after"),
        ("drill", "ModifyDBInstance", "after"),
        ("drill", "DeleteDBInstance", "before"),
    ],
)
def test_after_a_kill_the_next_call_goes_on_and_nothing_is_done_twice(
    opened, second, sent, jobs, there, what, last, when
):
    before, run = {kind: jobs(kind, region) for kind, region in JOBS}, f"run-{last}-{when}"
    told = pickle.dumps((opened.opens, what, run, last, when))
    argv = [sys.executable, "-m", "tests.support.second_region_victim"]
    died = subprocess.run(argv, input=told, cwd=ROOT, capture_output=True, check=False, timeout=200)

    done = second.send(run).problem if what == "send" else second.drill(run, deadline_seconds=300).outcome

    assert (died.returncode, done) == (-signal.SIGKILL, {"send": "", "drill": "pass"}[what]), died.stderr.decode()
    more = {kind: jobs(kind, region) - before[kind] for kind, region in JOBS}
    twice = last == "DeleteDBInstance"  # that copy was damaged by then
    assert more == {"backup": what == "send", "copy": what == "send", "restore": (what == "drill") + twice}
    assert there() == set()


def test_copies_whose_time_is_over_are_removed_and_no_others(second, server, there):
    rds, now, whose = server.client("rds", region=AWAY), datetime.now(UTC), second.instances._prefix
    hour = timedelta(hours=1)
    made = {
        f"{whose}over": {LABEL_ROLE: ROLE, BEGUN: now.isoformat(), LABEL_EXPIRES: (now - hour).isoformat()},
        f"{whose}later": {LABEL_ROLE: ROLE, BEGUN: now.isoformat(), LABEL_EXPIRES: (now + hour).isoformat()},
        f"{whose}untagged": {},
        "headway-drill-others": {LABEL_ROLE: ROLE, LABEL_EXPIRES: (now - hour).isoformat()},
    }
    for name, tags in made.items():
        named = {**INSTANCE, "DBInstanceIdentifier": name, "Tags": tag_list(tags)}
        rds.create_db_instance(**named, MasterUserPassword="long-enough")

    with pytest.MonkeyPatch.context() as patched:
        swept = second.sweep()
        patched.setattr("delivery.aws.second_instances.UNTAGGED", -hour)
        later = second.instances.sweep()

    assert (swept, later) == ((f"{whose}over",), (f"{whose}untagged",))
    assert there() == {f"{whose}later", "headway-drill-others"}
    for name in there():
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


@pytest.mark.parametrize(("kind", "how", "state"), [("backup", "error", "FAILED"), ("copy", "partial", "PARTIAL")])
def test_a_job_that_is_no_success_is_told_and_the_next_call_begins_anew(second, sent, server, kind, how, state):
    fault = {"service": "backup-agent", "operation": f"{kind} job", "kind": how, "reason": "the key cannot be used"}
    server.put_faults(fault)

    with pytest.raises(Rejected, match=rf"{kind} job \S+ is {state}: the key cannot be used; next: "):
        second.send(f"run-{kind}")

    problem = second.copies().problem
    assert problem == "" if kind == "backup" else f"is {state}: the key cannot be used" in problem
    assert second.send(f"run-{kind}").problem == ""


def test_a_vault_whose_lock_asks_for_more_days_takes_nothing(opened, sent, server):
    named, client = {"BackupVaultName": "away"}, server.client("backup", region=AWAY)
    client.put_backup_vault_lock_configuration(**named, MinRetentionDays=30)

    with pytest.raises(Rejected, match=r"copy job .* is FAILED: .*Retention of 7 days is not within 30"):
        opened.second(keep_days=7).send("run-locked")

    client.delete_backup_vault_lock_configuration(**named)


def test_copies_of_a_plan_count_and_what_is_in_them_is_not_known(second, sent, server, settings, there):
    before, theirs = second.copies(), second.jobs
    arn = server.client("rds").describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["DBInstanceArn"]
    taken = theirs.ended(theirs.back_up(arn, "plan", keep_days=35, tags={}), 120)
    theirs.ended(theirs.copy(taken.found["RecoveryPointArn"], settings.copy_vault, "plan", keep_days=35), 120)

    shown, now = second.drill("run-plan", deadline_seconds=300), second.copies()

    assert (now.count, now.newest > before.newest) == (before.count + 1, True)
    assert (shown.outcome, shown.problems, "did not send" in shown.unchecked[0]) == ("unknown", (), True)
    assert there() == set()


def test_a_vault_that_nobody_may_ask_is_told_and_no_error(second, sent, server):
    server.put_faults({**DENIED, "operation": "GET /backup-vaults/away/.*"})

    told = second.copies()

    server.put_faults()
    assert (told.count, told.newest) == (0, None)
    assert "vault away of AWS Backup in eu-west-1: AccessDenied" in told.problem
    assert "allow backup:ListRecoveryPointsByBackupVault" in told.problem


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("PUT /backup-jobs/?", r"vault vault of AWS Backup in us-east-1: .*\n.*allow backup:StartBackupJob to"),
        ("PUT /copy-jobs/?", r"vault vault \(to arn:.*:backup-vault:away\) of AWS Backup in us-east-1"),
        ("PUT /restore-jobs/?", r"vault away of AWS Backup in eu-west-1: .*\n.*allow backup:StartRestoreJob to"),
    ],
)
def test_what_may_not_be_done_names_vault_region_and_action(second, sent, server, operation, told, there):
    server.put_faults({**DENIED, "operation": operation})
    ask = {
        True: lambda: second.restore("latest", "shop-away", "run-denied"),
        False: lambda: second.send(f"run-denied-{operation[5]}"),
    }

    with pytest.raises(Misconfigured, match=told):
        ask["restore" in operation]()

    server.put_faults()
    assert there() == set()


def test_a_vault_that_is_not_there_is_named(opened, sent, settings):
    elsewhere = opened.second(copy_vault=settings.copy_vault.replace("away", "nowhere"))

    with pytest.raises(
        Misconfigured, match=r"vault vault \(to .*nowhere\) of AWS Backup in us-east-1: .*\n.*a vault that"
    ):
        elsewhere.send("run-nowhere")
    with pytest.raises(Misconfigured, match="vault none of AWS Backup in us-east-1: Backup vault none does not exist"):
        opened.second(vault="none").send("run-no-vault")
    assert "vault nowhere of AWS Backup in eu-west-1" in elsewhere.copies().problem


def test_a_copy_that_is_not_there_and_a_name_that_rds_does_not_take_are_refused(second, sent, jobs):
    before, known = jobs("restore", AWAY), second.vault.points()[0].name

    with pytest.raises(Misconfigured, match=rf"copy 1999 in eu-west-1, vault away: is not there; allowed: {known}"):
        second.restore("1999", "shop-away", "run-1")
    for name in ("Shop", "shop_away", "shop--away", "away-", ""):
        with pytest.raises(Misconfigured, match="is no name that RDS takes"):
            second.restore("latest", name, "run-1")
    assert jobs("restore", AWAY) == before


def test_with_the_first_region_lost_a_copy_of_headways_is_restored_and_stays(
    second, opened, server, there, jobs, record_property
):
    second.send("run-before-the-loss")
    before = jobs("restore", AWAY)
    with pytest.MonkeyPatch.context() as patched:
        lose_region(patched, REGION)
        copies = second.copies()
        restored, again = (second.restore("latest", "shop-away", "run-loss") for _ in range(2))
        with pytest.raises(Misconfigured, match="shop-away in eu-west-1: is there already"):
            second.restore("latest", "shop-away", "run-of-somebody-else")

    rpo = (datetime.now(UTC) - copies.newest).total_seconds()
    print(f"restored in the second region in {restored.seconds} s, {rpo:.0f} s of changes given up")
    record_property("rto_seconds", restored.seconds)
    assert (copies.count > 0, "how the newest copy went cannot be asked" in copies.problem) == (True, True)
    assert (restored.database, restored.tables, restored.rows >= 21, restored.beside) == ("shop-away", 2, True, ())
    assert restored.at == copies.newest
    assert (again.rows, jobs("restore", AWAY), there()) == (restored.rows, before + 1, {"shop-away"})
    told = server.client("rds", region=AWAY).describe_db_instances(DBInstanceIdentifier="shop-away")["DBInstances"][0]
    assert (told["BackupRetentionPeriod"], told["PubliclyAccessible"]) == (1, False)
    assert second.instances.sweep() == ()
    server.client("rds", region=AWAY).delete_db_instance(DBInstanceIdentifier="shop-away", SkipFinalSnapshot=True)


def test_a_copy_that_nobody_reads_there_is_restored_and_that_is_said(sent, opened, server, there):
    restored = opened.second(tasks=None).restore("latest", "shop-unread", "run-unread")

    assert (restored.beside, there()) == ((UNREAD,), {"shop-unread"})
    server.client("rds", region=AWAY).delete_db_instance(DBInstanceIdentifier="shop-unread", SkipFinalSnapshot=True)

"""RDS: an instance that is available is a PostgreSQL that lets its master user in.

What AWS says stands with each operation in local_aws/services/rds*.py.
"""

import asyncio
import json
import signal
from datetime import timedelta

import asyncpg
import pytest
from botocore.exceptions import ClientError

from delivery.docker.engine.client import connect
from delivery.docker.engine.exec_stream import run_in
from delivery.programs.postgres_change import login_argv
from delivery.waiting import until
from tests.support.local_aws import local_aws
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("local-aws-rds")]
FIRST = r"first'pass\word${HOME}`id`"
SMALL = {"Engine": "postgres", "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20, "MasterUsername": "shop"}
NEW = {**SMALL, "DBInstanceIdentifier": "new", "MasterUserPassword": "long-enough"}


class Rds:
    """The databases of one local AWS."""

    def __init__(self, server, home) -> None:
        self.server, self.home, self.password = server, home, FIRST
        self.ask = server.client("rds")

    def described(self, name):
        return self.ask.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]

    def names(self):
        return {one["DBInstanceIdentifier"] for one in self.ask.describe_db_instances()["DBInstances"]}

    def awaited(self, name, status="available"):
        """Return what it is said to be, once it has the status."""
        assert until(lambda: self.described(name)["DBInstanceStatus"] == status, seconds=120, every=0.1), (
            self.described(name)
        )
        return self.described(name)

    def container(self, name):
        key = self.described(name)["DbiResourceId"].lower()
        return connect().containers.get(f"headway-{self.home.identity}-aws-{key}")

    def secret(self, name):
        arn = self.described(name)["MasterUserSecret"]["SecretArn"]
        return json.loads(self.server.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])

    def query(self, name, text, *, password="", database="postgres"):
        return asyncio.run(self._query(self.described(name), text, password or self.password, database))

    def answers(self, name):
        try:
            return self.query(name, "select 1 as one")[0]["one"] == 1
        except (OSError, asyncpg.PostgresError):
            return False

    @staticmethod
    async def _query(told, text, password, database):
        session = await opened(told, password, database)
        try:
            return await session.fetch(text)
        finally:
            await session.close()


def opened(told, password, database="postgres"):
    place = told["Endpoint"]
    return asyncpg.connect(
        host=place["Address"], port=place["Port"], user="shop", password=password, database=database, timeout=10
    )


@pytest.fixture(scope="module")
def rds(tmp_path_factory):
    """`shop` with a password that was given, and `managed` on another port with one that RDS made."""
    with own_platform(tmp_path_factory.mktemp("rds")) as home, local_aws(home.root) as server:
        rds = Rds(server, home)
        begun = rds.ask.create_db_instance(
            **SMALL, DBInstanceIdentifier="Shop", MasterUserPassword=FIRST, DBName="shop", DeletionProtection=True
        )["DBInstance"]
        assert (begun["DBInstanceStatus"], "Endpoint" in begun) == ("creating", False)
        rds.ask.create_db_instance(
            **SMALL, DBInstanceIdentifier="managed", ManageMasterUserPassword=True, EngineVersion="15.4", Port=6000
        )
        rds.awaited("shop")
        rds.awaited("managed")
        yield rds


def error_of(call, **asked):
    with pytest.raises(ClientError) as told:
        call(**asked)
    return told.value.response["Error"]["Code"]


def test_an_available_instance_is_reached_from_this_machine_and_from_containers(rds):
    told = rds.described("shop")

    assert rds.query("shop", "show server_version_num")[0][0].startswith("15")
    argv = login_argv("shop", "shop", told["Endpoint"]["Address"])
    env = {"PGPASSWORD": FIRST, "PGPORT": str(told["Endpoint"]["Port"])}
    code, said, errors = run_in(rds.container("managed"), argv, env=env)
    assert (code, said.strip(), errors) == (0, "1", "")
    assert (told["DBName"], told["LicenseModel"], told["Endpoint"]["Port"]) == ("shop", "postgresql-license", 5432)


def test_the_master_user_is_no_superuser_and_owns_its_databases(rds):
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html"""
    role = rds.query("shop", "select * from pg_roles where rolname = current_user")[0]

    assert (role["rolsuper"], role["rolcreaterole"], role["rolcreatedb"]) == (False, True, True)
    assert rds.query("shop", "select pg_has_role(current_user, 'rds_superuser', 'member')")[0][0] is True
    owners = rds.query("shop", "select pg_get_userbyid(datdba) from pg_database where datname in ('shop', 'postgres')")
    assert [one[0] for one in owners] == ["shop", "shop"]


def test_two_instances_are_told_apart(rds):
    """Terraform looks for an instance by its DbiResourceId."""
    keys = {name: rds.described(name)["DbiResourceId"] for name in ("shop", "managed")}

    found = {
        name: rds.ask.describe_db_instances(Filters=[{"Name": "dbi-resource-id", "Values": [key]}])["DBInstances"]
        for name, key in keys.items()
    }
    assert {name: [one["DBInstanceIdentifier"] for one in listed] for name, listed in found.items()} == {
        "shop": ["shop"],
        "managed": ["managed"],
    }
    assert rds.described("shop")["Endpoint"]["Address"] != rds.described("managed")["Endpoint"]["Address"]


def test_a_managed_password_is_a_secret_of_its_own(rds):
    told = rds.described("managed")
    secrets = rds.server.client("secretsmanager")

    secret = secrets.describe_secret(SecretId=told["MasterUserSecret"]["SecretArn"])

    assert (told["MasterUserSecret"]["SecretStatus"], secret["OwningService"]) == ("active", "rds")
    assert secret["Name"].startswith("rds!db-")
    assert {"Key": "aws:rds:primaryDBInstanceArn", "Value": told["DBInstanceArn"]} in secret["Tags"]
    known = rds.secret("managed")
    assert set(known) == {"username", "password"}
    assert rds.query("managed", "select current_user", password=known["password"])[0][0] == known["username"]


def test_a_managed_password_is_rotated_by_either_service_and_sessions_stay(rds):
    secrets = rds.server.client("secretsmanager")
    arn = rds.described("managed")["MasterUserSecret"]["SecretArn"]
    ways = [
        lambda: rds.ask.modify_db_instance(
            DBInstanceIdentifier="managed", RotateMasterUserPassword=True, ApplyImmediately=True
        ),
        lambda: secrets.rotate_secret(SecretId=arn),
    ]

    async def rotated(way):
        old = rds.secret("managed")["password"]
        session = await opened(rds.described("managed"), old)
        way()
        new = rds.secret("managed")["password"]
        rds.awaited("managed")
        still = await session.fetchval("select 1")
        await session.close()
        return old, new, still

    for way in ways:
        old, new, still = asyncio.run(rotated(way))
        assert (still, rds.query("managed", "select 2", password=new)[0][0]) == (1, 2)
        with pytest.raises(asyncpg.InvalidPasswordError):
            rds.query("managed", "select 1", password=old)


def test_a_new_password_is_applied_and_the_old_one_ends(rds):
    changed = rds.ask.modify_db_instance(DBInstanceIdentifier="shop", MasterUserPassword="another-password")
    told = changed["DBInstance"]
    assert (told["DBInstanceStatus"], told["PendingModifiedValues"]) == (
        "resetting-master-credentials",
        {"MasterUserPassword": "****"},
    )

    told = rds.awaited("shop")

    old, rds.password = rds.password, "another-password"
    assert (rds.answers("shop"), told["PendingModifiedValues"]) == (True, {})
    with pytest.raises(asyncpg.InvalidPasswordError):
        rds.query("shop", "select 1", password=old)


def test_a_class_waits_for_the_reboot_and_retention_does_not(rds):
    change = {"DBInstanceClass": "db.m5.large", "BackupRetentionPeriod": 7}
    told = rds.ask.modify_db_instance(DBInstanceIdentifier="shop", **change)["DBInstance"]
    assert (told["DBInstanceClass"], told["BackupRetentionPeriod"]) == ("db.t4g.micro", 7)
    assert told["PendingModifiedValues"] == {"DBInstanceClass": "db.m5.large"}
    began = rds.query("shop", "select pg_postmaster_start_time()")[0][0]

    assert rds.ask.reboot_db_instance(DBInstanceIdentifier="shop")["DBInstance"]["DBInstanceStatus"] == "rebooting"

    told = rds.awaited("shop")
    assert (told["DBInstanceClass"], told["PendingModifiedValues"]) == ("db.m5.large", {})
    assert rds.query("shop", "select pg_postmaster_start_time()")[0][0] > began


def test_data_passwords_and_address_outlive_kills_and_what_was_asked_before_is_done_after(rds):
    rds.query("shop", "create table kept as select 42 as answer", database="shop")
    before = rds.described("shop"), rds.secret("managed")
    container = rds.container("shop")
    rds.ask.modify_db_instance(DBInstanceIdentifier="shop", MasterUserPassword="before-the-kill")
    rds.server.stop(signal.SIGKILL)
    container.kill()
    rds.password = "before-the-kill"
    rds.server.start()

    after = rds.awaited("shop"), rds.secret("managed")

    assert rds.query("shop", "select answer from kept", database="shop")[0][0] == 42
    made = [told.pop("InstanceCreateTime") for told in (before[0], after[0]) if told.pop("LatestRestorableTime", True)]
    assert after == before
    assert abs(made[1] - made[0]) < timedelta(minutes=1)


def test_a_server_that_ends_is_started_again(rds):
    rds.container("shop").kill()

    assert until(lambda: rds.answers("shop"), seconds=60, every=0.1)


@pytest.mark.long
def test_a_container_that_is_removed_is_made_again_on_its_volume(rds):
    rds.query("shop", "create table volume as select 42 as answer", database="shop")
    before = rds.described("shop")["Endpoint"]
    rds.container("shop").remove(force=True)

    assert until(lambda: rds.answers("shop"), seconds=60, every=0.1)

    assert rds.query("shop", "select answer from volume", database="shop")[0][0] == 42
    assert rds.described("shop")["Endpoint"] == before


def test_nobody_reads_the_password_of_a_container(rds):
    told = json.dumps(rds.container("shop").attrs) + json.dumps(rds.container("managed").attrs)

    for password in (FIRST, rds.password, rds.secret("managed")["password"]):
        assert password not in told


@pytest.mark.long
def test_a_stopped_instance_starts_with_its_data(rds):
    stop, start = rds.ask.stop_db_instance, rds.ask.start_db_instance
    assert error_of(start, DBInstanceIdentifier="shop") == "InvalidDBInstanceState"
    stop(DBInstanceIdentifier="shop")
    rds.awaited("shop", "stopped")
    assert not rds.answers("shop")
    for call in (stop, rds.ask.reboot_db_instance):
        assert error_of(call, DBInstanceIdentifier="shop") == "InvalidDBInstanceState"
    assert error_of(rds.ask.modify_db_instance, DBInstanceIdentifier="shop", MultiAZ=True) == "InvalidDBInstanceState"

    start(DBInstanceIdentifier="shop")

    rds.awaited("shop")
    assert rds.answers("shop")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"EngineVersion": "99.9"}, "InvalidParameterCombination"),
        ({"EngineVersion": "15.99"}, "InvalidParameterCombination"),
        ({"MasterUserPassword": "short"}, "InvalidParameterValue"),
        ({"MasterUserPassword": "with/slash"}, "InvalidParameterValue"),
        ({"MasterUserPassword": ""}, "InvalidParameterValue"),
        ({"ManageMasterUserPassword": True}, "InvalidParameterCombination"),
        ({"MasterUsername": "admin"}, "InvalidParameterValue"),
        ({"MasterUsername": "1st"}, "InvalidParameterValue"),
        ({"DBName": "no-hyphens"}, "InvalidParameterValue"),
        ({"Port": 80}, "InvalidParameterValue"),
        ({"BackupRetentionPeriod": 36}, "InvalidParameterValue"),
        ({"DBInstanceIdentifier": "-new"}, "InvalidParameterValue"),
        ({"DBInstanceIdentifier": "SHOP"}, "DBInstanceAlreadyExists"),
    ],
)
def test_an_instance_that_cannot_be_is_refused_before_anything_is_made(rds, asked, code):
    assert error_of(rds.ask.create_db_instance, **{**NEW, **asked}) == code
    assert "new" not in rds.names()


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"EngineVersion": "16.4"}, "InvalidParameterCombination"),
        ({"EngineVersion": "99.9"}, "InvalidParameterCombination"),
        ({"MasterUserPassword": "short"}, "InvalidParameterValue"),
        ({"RotateMasterUserPassword": True, "ApplyImmediately": True}, "InvalidParameterCombination"),
        ({"NewDBInstanceIdentifier": "managed"}, "DBInstanceAlreadyExists"),
    ],
)
def test_a_change_that_cannot_be_is_refused(rds, asked, code):
    assert error_of(rds.ask.modify_db_instance, DBInstanceIdentifier="shop", **asked) == code
    assert rds.described("shop")["PendingModifiedValues"] == {}


def test_an_instance_ends_only_when_it_is_said_what_becomes_of_its_data(rds):
    def refused(name, **asked):
        return error_of(rds.ask.delete_db_instance, DBInstanceIdentifier=name, **asked)

    assert refused("managed") == "InvalidParameterCombination"
    both = {"SkipFinalSnapshot": True, "FinalDBSnapshotIdentifier": "last"}
    assert refused("managed", **both) == "InvalidParameterCombination"
    assert refused("shop", SkipFinalSnapshot=True) == "InvalidParameterCombination"  # DeletionProtection
    assert refused("nobody", SkipFinalSnapshot=True) == "DBInstanceNotFound"
    assert rds.names() == {"shop", "managed"}


def test_a_parameter_tells_its_source(rds):
    group = {"DBParameterGroupName": "shop-15"}
    rds.ask.create_db_parameter_group(**group, DBParameterGroupFamily="postgres15", Description="test")
    wanted = {"ParameterName": "log_min_duration_statement", "ParameterValue": "500", "ApplyMethod": "immediate"}
    rds.ask.modify_db_parameter_group(**group, Parameters=[wanted])

    told = rds.ask.describe_db_parameters(**group, Source="user")["Parameters"]

    assert [{key: one[key] for key in (*wanted, "Source")} for one in told] == [{**wanted, "Source": "user"}]
    assert rds.ask.describe_db_parameters(**group, Source="engine-default")["Parameters"] == []


def test_the_versions_that_are_told_are_those_that_are_taken(rds):
    told = rds.ask.describe_db_engine_versions(Engine="postgres", EngineVersion="15")["DBEngineVersions"]

    assert "15.4" in {one["EngineVersion"] for one in told}
    assert {one["DBParameterGroupFamily"] for one in told} == {"postgres15"}
    default = rds.ask.describe_db_engine_versions(Engine="postgres", DefaultOnly=True)["DBEngineVersions"]
    assert [one["EngineVersion"] for one in default] == [rds.described("shop")["EngineVersion"]]


def test_an_instance_ends_with_its_container_its_volume_and_its_secret(rds):
    """The last of this module: it takes one of the two away."""
    told, volume = rds.described("managed"), rds.container("managed").name
    end = {"DBInstanceIdentifier": "managed", "FinalDBSnapshotIdentifier": "last"}

    assert rds.ask.delete_db_instance(**end)["DBInstance"]["DBInstanceStatus"] == "deleting"

    assert until(lambda: rds.names() == {"shop"}, seconds=60, every=0.1)
    labelled = {"label": f"headway.platform={rds.home.identity}"}
    assert volume not in {one.name for one in connect().containers.list(all=True, filters=labelled)}
    assert volume not in {one.name for one in connect().volumes.list(filters=labelled)}
    arn = told["MasterUserSecret"]["SecretArn"]
    secrets = rds.server.client("secretsmanager")
    assert error_of(secrets.get_secret_value, SecretId=arn) == "ResourceNotFoundException"
    snapshots = rds.ask.describe_db_snapshots(DBInstanceIdentifier="managed")["DBSnapshots"]
    assert [one["DBSnapshotIdentifier"] for one in snapshots] == ["last"]

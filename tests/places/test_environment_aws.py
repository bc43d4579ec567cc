"""Jobs as tasks of ECS, on a local AWS."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from delivery.aws.jobs import EcsJobs
from delivery.aws.rds import RdsDatabase, RdsSettings
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.ports.jobs import Job
from delivery.ports.settings import EnvironmentSettings
from tests.places.environment_contract import TOKEN, DatabaseContract, JobsContract
from tests.places.test_environment_docker import SCRIPTS
from tests.support.aws_room import INSTANCE, make_room
from tests.support.local_aws import local_aws
from tests.support.platforms import new_home, remove_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("aws-environment")]
IMAGE = "busybox"
# Sixty times a new connection: who is refused once ends with an error.
STEADY = (
    "psql -Xqc 'create table seen (n int)' && for n in $(seq 60); do "
    'psql -XqAtc "insert into seen values ($n) returning n" || exit 1; sleep 0.2; done'
)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    home = new_home(tmp_path_factory.mktemp("platform"))
    yield home
    remove_platform(home)


@pytest.fixture(scope="module")
def server(home):
    with local_aws(home.root) as server:
        yield server


@pytest.fixture(scope="module")
def settings(server):
    """An account with what an environment needs for tasks."""
    server.client("s3").create_bucket(Bucket="artifacts")
    return make_room(server.client, "artifacts")


@pytest.fixture(scope="module")
def jobs(server, settings):
    return EcsJobs(server.access(), settings, EnvironmentSettings(app="shop", environment="production"))


@pytest.fixture(scope="module")
def opened(server, jobs):
    """What there is of an environment on AWS: its jobs, and a database on an instance that somebody made."""
    server.client("rds").create_db_instance(**INSTANCE, ManageMasterUserPassword=True)
    database = RdsDatabase(server.access(), jobs, jobs.environment, RdsSettings(instance="shop"), run="run-0")
    return SimpleNamespace(jobs=jobs, database=database)


@pytest.fixture
def job(tmp_path):
    def make(kind):
        return Job(
            name="try",
            image=IMAGE,
            run=f"run-{secrets.token_hex(3)}",
            log=tmp_path / "log.txt",
            command=("sh", "-c", SCRIPTS[kind]),
            report_dir=tmp_path / "reports",
        )

    return make


class TestJobsAsTasks(JobsContract):
    """The whole contract on ECS, as far as a local AWS is one."""

    long_here = frozenset({"test_a_job_that_fails_says_how_with_its_last_lines"})

    def test_nothing_of_a_job_is_left_but_its_log_and_its_secret_is_nowhere(self, opened, job, server, settings, home):
        talking = replace(job("talking"), secrets={"TOKEN": SecretStr(TOKEN)})
        seen = []

        def look():
            arn = server.client("ecs").list_task_definitions(sort="DESC")["taskDefinitionArns"][0]
            seen.append(server.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"])

        opened.jobs.run(replace(talking, begun=look))

        [program] = seen[0]["containerDefinitions"]
        assert [one["name"] for one in program["secrets"]] == ["TOKEN"]
        assert TOKEN not in str(seen)

        definitions = server.client("ecs").list_task_definitions(familyPrefix="headway-shop", status="ACTIVE")
        filters = [{"Key": "name", "Values": ["headway/shop/production/run"]}]
        of_jobs = server.client("secretsmanager").list_secrets(Filters=filters)["SecretList"]
        assert definitions["taskDefinitionArns"] == []
        assert [one["Name"] for one in of_jobs] == []
        assert server.client("ecs").list_tasks(cluster=settings.cluster)["taskArns"] == []

    def test_an_image_that_cannot_be_pulled_is_told_in_ecss_words(self, opened, job, server):
        missing = replace(job("good"), image=f"{server.url.rpartition('/')[2]}/nobody/nothing:1")

        with pytest.raises(Misconfigured, match=r"image .*nobody/nothing:1: CannotPull"):
            opened.jobs.run(missing)


class TestDatabaseOnRds:
    """The contract of a database, but for its backups, which take their time."""

    long_here = frozenset({"test_a_job_that_may_not_begin_any_more_is_ended"})
    test_a_database_is_found_again_with_the_access_it_was_made_with = (
        DatabaseContract.test_a_database_is_found_again_with_the_access_it_was_made_with
    )
    test_a_migration_that_was_given_up_is_ended = DatabaseContract.test_a_migration_that_was_given_up_is_ended
    test_a_job_that_may_not_begin_any_more_is_ended = DatabaseContract.test_a_job_that_may_not_begin_any_more_is_ended
    test_a_migration_that_fails_is_told_with_its_last_lines = (
        DatabaseContract.test_a_migration_that_fails_is_told_with_its_last_lines
    )

    def test_the_application_is_no_administrator_and_has_a_password_of_its_own(self, opened, server):
        access = opened.database.ensure()
        instance = server.client("rds").describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]
        managed = server.client("secretsmanager").get_secret_value(SecretId=instance["MasterUserSecret"]["SecretArn"])

        assert (access.user, access.name) == ("app", "app")
        assert access.password.get_secret_value() not in managed["SecretString"]
        assert (access.host, access.port) == (instance["Endpoint"]["Address"], instance["Endpoint"]["Port"])

    @pytest.mark.long
    def test_a_rotation_cuts_off_nobody_who_was_started_before_it(self, opened, job):
        """Who connects again and again with the old password is let in, whatever happens meanwhile."""
        before = opened.database.ensure()
        begun = threading.Event()
        steady = replace(
            job("good"),
            image="postgres:15-alpine",
            command=("sh", "-c", STEADY),
            env={name: value for name, value in before.client_env().items() if name != "PGPASSWORD"},
            secrets={"PGPASSWORD": before.password},
            begun=begun.set,
        )
        with ThreadPoolExecutor() as pool:
            running = pool.submit(opened.jobs.run, steady)
            assert begun.wait(60)
            after = opened.database.rotate()
            ended = running.result()
        last = opened.database.rotate()

        assert (ended.exit_code, ended.last_lines.split()[-1]) == (0, "60"), ended.last_lines
        assert [before.user, after.user, last.user] == ["app", "app_clone", "app"]
        assert len({one.password.get_secret_value() for one in (before, after, last)}) == 3
        assert opened.database.find() == opened.database.ensure() == last
        made = opened.database.run_script(
            "create table by_app (a int); select tableowner from pg_tables "
            "where tablename in ('by_app', 'seen') order by 1;\n",
            after,
        )  # the one before the last still works
        assert made.split() == ["app", "app"]

    @pytest.mark.parametrize(
        ("instance", "said"),
        [
            ("none", "RDS instance none: there is none of that name in us-east-1"),
            ("unmanaged", "is not managed by RDS"),
        ],
    )
    def test_an_instance_that_cannot_be_used_is_told_with_what_to_do(self, server, jobs, instance, said):
        if instance == "unmanaged":
            named = {**INSTANCE, "DBInstanceIdentifier": "unmanaged"}
            server.client("rds").create_db_instance(**named, MasterUserPassword="long-enough-1")
        database = RdsDatabase(server.access(), jobs, jobs.environment, RdsSettings(instance=instance), run="run-0")

        with pytest.raises(Misconfigured, match=said):
            database.ensure()

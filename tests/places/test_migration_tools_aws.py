"""Tools that migrate a database on RDS as tasks of ECS, on a local AWS."""

import secrets
from types import SimpleNamespace

import pytest

from delivery.aws.jobs import EcsJobs
from delivery.aws.rds import RdsDatabase, RdsSettings
from delivery.ports.jobs import Job
from delivery.ports.settings import EnvironmentSettings
from tests.places.migration_contract import MigrationContract
from tests.support.aws_room import INSTANCE, make_room
from tests.support.local_aws import local_aws
from tests.support.migration_images import tool_images

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.xdist_group("aws-migrations")]
EMPTY = "drop schema public cascade; create schema public"


@pytest.fixture(scope="module")
def tool_image(home, tmp_path_factory):
    return tool_images(home, tmp_path_factory.mktemp("tools"))


@pytest.fixture(scope="module")
def environment(home):
    with local_aws(home.root) as server:
        server.client("s3").create_bucket(Bucket="artifacts")
        room = make_room(server.client, "artifacts")
        jobs = EcsJobs(server.access(), room, EnvironmentSettings(app="shop", environment="production"))
        server.client("rds").create_db_instance(**INSTANCE, ManageMasterUserPassword=True)
        database = RdsDatabase(server.access(), jobs, jobs.environment, RdsSettings(instance="shop"), run="run-0")
        yield SimpleNamespace(jobs=jobs, database=database)


@pytest.fixture
def query(environment, tmp_path):
    """A function that asks the database as the application, and returns what psql prints."""

    def ask(sql: str) -> str:
        access = environment.database.ensure()
        name = secrets.token_hex(4)
        env = {key: value for key, value in access.client_env().items() if key != "PGPASSWORD"}
        asked = ("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql)
        ended = environment.jobs.run(
            Job(
                name="ask",
                image="postgres:15-alpine",
                run=name,
                log=tmp_path / name,
                command=asked,
                env=env,
                secrets={"PGPASSWORD": access.password},
            )
        )
        assert ended.exit_code == 0, ended.last_lines
        return ended.last_lines.strip()

    return ask


@pytest.fixture
def opened(environment, query):
    query(EMPTY)
    return environment


class TestFlywayOnAws(MigrationContract):
    """Its stand-in, which keeps to its contract."""

    TOOL = "flyway"


class TestAlembicOnAws(MigrationContract):
    """The one that the package index has."""

    TOOL = "alembic"


class TestLiquibaseOnAws(MigrationContract):
    """The one that the package of its makers has."""

    TOOL = "liquibase"

"""Tools that migrate a database in a container on the Docker host."""

import secrets

import pytest

from delivery.changes.migration import carry_out, migration_job
from delivery.docker.database.beside import running_container
from delivery.docker.database.database import ensure_network
from delivery.docker.database.roles import admin_access
from delivery.docker.engine.client import connect
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.environment import open_docker
from delivery.errors import Rejected
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.spec.database import Migration
from tests.places.migration_contract import MigrationContract
from tests.places.test_environment_docker import APP
from tests.support.migration_images import tool_images
from tests.support.rehearsals import POSTGRES, psql

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker-migrations")]


@pytest.fixture(scope="module")
def tool_image(home, tmp_path_factory):
    return tool_images(home, tmp_path_factory.mktemp("tools"))


@pytest.fixture
def names(home):
    return EnvironmentNames(home.identity, f"shop-{secrets.token_hex(3)}", "production")


@pytest.fixture
def opened(home, names):
    app = App.model_validate(APP | {"app": names.app})
    settings, environment = EnvironmentSettings(app=app.app, environment="production"), app.environments["production"]
    ensure_network(connect(), names)
    return open_docker(app, environment, settings, sequence=1, home=home)


@pytest.fixture
def query(opened, names):
    """A function that asks the database as its administrator, and returns what psql prints."""

    def ask(sql: str) -> str:
        access = opened.database.ensure()
        server = running_container(connect(), names)
        argv = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", admin_access(server).user, "-d", access.name, "-c", sql]
        code, output, errors = run_in(server, argv)
        assert code == 0, errors
        return output.strip()

    return ask


@pytest.fixture
def migrate(opened, tmp_path):
    """A function that migrates by a script of SQL, each statement by itself, as a delivery does."""
    opened.database.ensure()

    def run(script):
        described = Migration(image=POSTGRES, command=psql(script))
        log, access = tmp_path / "log", opened.database.find()

        def ask(operation, count, up_to):
            return opened.jobs.run(migration_job(described, access, POSTGRES, run="run-1", log=log))

        return carry_out(described, ask, log, drop_unfinished=opened.database.drop_unfinished)

    return run


TASKS = "create table if not exists task (title text); insert into task values ('wash'), ('wash');"
INDEX = "create unique index concurrently titles on task (title);"
INVALID = "select count(*) from pg_index where not indisvalid"


def test_an_index_that_could_not_be_built_is_dropped_and_told(migrate, query):
    with pytest.raises(Rejected, match=r"dropped, for it was left half done: public\.titles") as failed:
        migrate(TASKS + INDEX)

    assert "could not create unique index" in str(failed.value)
    assert query(INVALID) == "0"


@pytest.mark.parametrize(
    "again", [INDEX, INDEX.replace("titles", "if not exists titles")], ids=["plain", "if not there"]
)
def test_an_index_that_a_killed_run_left_is_neither_in_the_way_of_the_next_nor_taken_for_whole(migrate, query, again):
    migrate(TASKS)
    with pytest.raises(AssertionError, match="could not create unique index"):
        query(INDEX)
    query("delete from task")
    left = query(INVALID)
    migrate(again)

    assert left == "1"
    assert query(INVALID) == "0"
    assert query("select count(*) from pg_indexes where indexname = 'titles'") == "1"


def test_an_index_that_only_goes_with_another_stops_no_migration(migrate, query):
    """Of a partition: it belongs to that of the whole table, and is dropped with it alone."""
    migrate("create table day (at date, id int) partition by range (at);")
    migrate("create table monday partition of day for values from ('2030-01-07') to ('2030-01-08');")
    migrate("create index on day (id);")
    query("update pg_index set indisvalid = false where indexrelid = 'monday_id_idx'::regclass")
    migrate("select 1;")

    assert query(INVALID) == "1"


class TestFlyway(MigrationContract):
    """Its stand-in, which keeps to its contract."""

    TOOL = "flyway"
    long_here = frozenset(
        {
            "test_what_was_changed_since_it_ran_is_refused_before_anything_is_done",
            "test_a_lock_that_is_held_ends_it_in_seconds_and_the_next_run_goes_on",
            "test_two_runners_at_once_leave_each_step_done_once",
            "test_a_run_that_was_killed_leaves_nothing_in_the_way_of_the_next",
        }
    )


@pytest.mark.long
class TestAlembic(MigrationContract):
    """The one that the package index has."""

    TOOL = "alembic"


@pytest.mark.long
class TestLiquibase(MigrationContract):
    """The one that the package of its makers has."""

    TOOL = "liquibase"

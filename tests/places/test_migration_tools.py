"""Tools that migrate a database in a container on the Docker host."""

import secrets

import pytest

from delivery.docker.database.beside import running_container
from delivery.docker.database.database import ensure_network
from delivery.docker.database.roles import admin_access
from delivery.docker.engine.client import connect
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.environment import open_docker
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from tests.places.migration_contract import MigrationContract
from tests.places.test_environment_docker import APP
from tests.support.migration_images import tool_images

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

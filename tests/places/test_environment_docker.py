import secrets

import pytest

from delivery.docker.database.database import ensure_network
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.environment import open_docker
from delivery.ports.jobs import Job
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from tests.places.environment_contract import DatabaseContract, JobsContract
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker-parts")]
IMAGE = "busybox"
SCRIPTS = {
    "good": "echo hello",
    "bad": "echo hello; exit 3",
    "endless": "sleep 300",
    "talking": 'echo "$TOKEN $PLACE"',
    "reporting": "echo '<testsuites/>' > /reports/found.xml",
}
APP = {
    "app": "shop",
    "images": {"web": {}},
    "services": {"web": {"port": 8000}},
    "database": {"image": "postgres:15-alpine"},
    "environments": {"production": {}},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        yield home


@pytest.fixture(scope="class")
def opened(home):
    app = App.model_validate(APP | {"app": f"shop-{secrets.token_hex(3)}"})
    settings, environment = EnvironmentSettings(app=app.app, environment="production"), app.environments["production"]
    ensure_network(connect(), EnvironmentNames(home.identity, app.app, "production"))
    return open_docker(app, environment, settings, sequence=1, home=home)


@pytest.fixture
def job(tmp_path):
    def make(kind):
        return Job(
            name="try",
            image=IMAGE,
            run="run-1",
            log=tmp_path / "log.txt",
            command=("sh", "-c", SCRIPTS[kind]),
            report_dir=tmp_path / "reports",
        )

    return make


class TestJobsInContainers(JobsContract):
    """The whole contract on a real engine."""


class TestDatabaseInContainers(DatabaseContract):
    """The whole contract on a real engine."""

import secrets
from dataclasses import replace

import pytest

from delivery.docker.database.database import ensure_network
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.environment import open_docker
from delivery.ports.jobs import BROWSER_SHM_BYTES, Job
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

    @pytest.mark.parametrize(("asked", "kilobytes"), [(None, "65536"), (BROWSER_SHM_BYTES, "524288")])
    def test_a_job_has_the_shared_memory_that_it_asks_for(self, opened, job, asked, kilobytes):
        looking = replace(job("good"), command=("df", "-k", "/dev/shm"), shm_bytes=asked)

        assert opened.jobs.run(looking).exit_code == 0
        assert looking.log.read_text().splitlines()[-1].split()[1] == kilobytes


class TestDatabaseInContainers(DatabaseContract):
    """The whole contract on a real engine."""

    # tests/docker/test_kept_backups.py and test_masked.py say the same of one server.
    long_here = frozenset(
        {
            "test_a_database_is_found_again_with_the_access_it_was_made_with",
            "test_a_kept_backup_comes_back_beside_the_live_database_and_may_take_its_place",
            "test_a_kept_backup_comes_masked_beside_the_live_database_of_an_environment",
        }
    )

import pytest

from delivery.home import Home
from delivery.memory.behaviour import Program, memory_state
from delivery.memory.environment import open_memory
from delivery.ports.jobs import Job
from delivery.ports.settings import EnvironmentSettings
from tests.delivery.values import make_app
from tests.places.environment_contract import DatabaseContract, JobsContract

PROGRAMS = {
    "good": Program(prints="hello\n"),
    "bad": Program(exit_code=3, prints="hello\n"),
    "endless": Program(exit_code=None),
    "reporting": Program(files={"found.xml": b"<testsuites/>"}),
}


def run(job):
    """End as the image is called; `talking` says what it was given."""
    if job.image == "talking":
        given = job.revealed()
        return Program(prints=f"{given['TOKEN']} {given['PLACE']}\n")
    return PROGRAMS[job.image]


@pytest.fixture
def opened(request):
    settings = EnvironmentSettings(app=f"shop-{request.node.name[:30]}", environment="production")
    memory_state(settings.app, settings.environment).behaviour.run = run
    app = make_app()
    environment = next(iter(app.environments.values()))
    return open_memory(app, environment, settings, sequence=1, home=Home.current())


@pytest.fixture
def job(tmp_path):
    def make(kind):
        report_dir = tmp_path / "reports"
        return Job(
            name="try", image=kind, run="run-1", log=tmp_path / "log.txt", command=(kind,), report_dir=report_dir
        )

    return make


class TestJobsInMemory(JobsContract):
    """The whole contract in this process."""


class TestDatabaseInMemory(DatabaseContract):
    """The whole contract in this process."""

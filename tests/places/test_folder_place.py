"""A place in one folder, and one line that says where it is: it does what every place does."""

import secrets

import pytest

from delivery import opening
from delivery.ports.jobs import Job
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from tests.delivery.values import make_release
from tests.places.contract import Live, TargetContract
from tests.places.environment_contract import DatabaseContract, JobsContract
from tests.places.folder_place.config import FolderTarget
from tests.places.folder_place.environment import open_folder
from tests.places.folder_place.files import Data, Files, ImageFile, Table, write
from tests.support.kinds import target_kind

SCRIPTS = {
    "good": "echo hello",
    "bad": "echo hello; exit 3",
    "endless": "sleep 300",
    "talking": 'echo "$TOKEN $PLACE"',
    "reporting": "echo '<testsuites/>' > reports/found.xml",
}


@pytest.fixture(autouse=True)
def plugged_in(monkeypatch):
    monkeypatch.setitem(opening.PLACES, "folder", lambda: open_folder)
    with target_kind(FolderTarget):
        yield


@pytest.fixture
def app(tmp_path):
    target = {"kind": "folder", "folder": str(tmp_path / "environments")}
    described = {
        "app": f"shop-{secrets.token_hex(3)}",
        "images": {"web": {}},
        "services": {"web": {"port": 8000}},
        "database": {},
        "environments": {"production": {"target": target}},
    }
    return App.model_validate(described)


@pytest.fixture
def settings(app):
    return EnvironmentSettings(app=app.app, environment="production")


@pytest.fixture
def files(app, settings):
    return Files(app.environments["production"].target.folder / settings.app / settings.environment)


@pytest.fixture
def target(app, settings):
    def make(sequence):
        return opening.open_environment(app, app.environments["production"], settings, sequence=sequence).target

    return make


@pytest.fixture
def opened(app, settings):
    return opening.open_environment(app, app.environments["production"], settings, sequence=1)


class TestFolderHost(TargetContract):
    """The whole contract in files."""

    def serve_something_else(self, live, release):
        path = live.target(0).files.image_path(release.images["web"])
        write(path, ImageFile(serves="sha256:" + "0" * 64))

    @pytest.fixture
    def live(self, app, settings, target, release):
        self.put_live(app, target, release(1))
        return Live(settings, release(1), target)

    @pytest.fixture
    def release(self, files):
        def make(number, never_healthy=False, lies=False, fails_when_live=False, silent=False):
            made = make_release(number)
            does = ImageFile(
                healthy=not never_healthy,
                silent=silent,
                serves="sha256:" + "0" * 64 if lies else None,
                error_percent=50 if fails_when_live else 0,
            )
            write(files.image_path(made.images["web"]), does)
            return made

        return make


@pytest.fixture
def job(tmp_path):
    def make(kind):
        return Job(
            name="try",
            image="any",
            run="run-1",
            log=tmp_path / "log.txt",
            command=("sh", "-c", SCRIPTS[kind]),
            report_dir=tmp_path / "reports",
        )

    return make


class TestFolderJobs(JobsContract):
    """The whole contract with processes of this machine."""


class TestFolderDatabase(DatabaseContract):
    """The whole contract in files."""

    def test_a_backup_is_proven_by_every_row_of_it(self, opened, files):
        opened.database.ensure()
        data = Data.model_validate_json(files.database.read_bytes())
        write(files.database, data.model_copy(update={"tables": {"orders": Table(rows=("a", "b"))}}))

        proof = opened.backups.prove("run-1")

        assert (proof.outcome, proof.tables, proof.rows) == ("pass", 1, 2)


def test_the_kind_is_taken_by_headway_yaml_and_written_back_whole(app):
    written = app.model_dump(mode="json")

    assert App.model_validate(written) == app
    assert written["environments"]["production"]["target"]["folder"].endswith("environments")

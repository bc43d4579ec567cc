"""An environment in a folder, open."""

from delivery.home import Home
from delivery.ports.environment import OpenEnvironment
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.spec.environments import Environment
from tests.places.folder_place.config import FolderTarget
from tests.places.folder_place.database import FolderBackups, FolderDatabase
from tests.places.folder_place.files import Files
from tests.places.folder_place.jobs import FolderJobs
from tests.places.folder_place.target import FolderHost


def open_folder(
    app: App, environment: Environment, settings: EnvironmentSettings, *, sequence: int, home: Home
) -> OpenEnvironment:
    """Return an environment in the folder that headway.yaml names."""
    target = environment.target
    assert isinstance(target, FolderTarget)
    files = Files(target.folder / settings.app / settings.environment)
    return OpenEnvironment(
        target=FolderHost(files, sequence),
        jobs=FolderJobs(),
        database=FolderDatabase(app, files),
        backups=FolderBackups(files),
    )

"""An environment on AWS: tasks of ECS, jobs beside them, a database on RDS."""

from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from delivery.aws.access import AwsAccess
from delivery.aws.ecs_host import EcsHost
from delivery.aws.ecs_services import EcsServices
from delivery.aws.jobs import EcsJobs
from delivery.aws.rds import RdsDatabase
from delivery.aws.stack_outputs import database_settings, is_known, task_settings
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.ports.aws_account import AwsAccount
from delivery.ports.backups import BackupProof, KeptBackup, Reason, Restored
from delivery.ports.database import DatabaseAccess, Ended
from delivery.ports.environment import OpenEnvironment
from delivery.ports.jobs import ImageDefaults, Job, JobResult
from delivery.ports.registry import Registry
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.spec.ecs_target import EcsTarget
from delivery.spec.environments import Environment

OF_INFRASTRUCTURE = "belongs to the environment's infrastructure on AWS"


@dataclass(frozen=True)
class NotYet:
    """Jobs and database of an environment whose infrastructure was never applied: there is nothing to ask."""

    environment: str

    def find(self) -> DatabaseAccess | None:
        """Return none: it has no database yet."""
        return None

    def holds_data(self) -> bool:
        """Return that there is no data."""
        return False

    def beside(self) -> tuple[str, ...]:
        """Return that there are no databases."""
        return ()

    def ensure(self, *, anew: bool = False) -> DatabaseAccess:
        """Raise Misconfigured."""
        self._refuse()

    def use(self, name: str) -> str:
        """Raise Misconfigured."""
        self._refuse()

    def drop(self, name: str) -> None:
        """Raise Misconfigured."""
        self._refuse()

    def end_migration(self, run: str) -> Ended:
        """Return that nothing runs."""
        return Ended()

    def image_defaults(self, image: str) -> ImageDefaults:
        """Return that nothing is known."""
        return ImageDefaults()

    def run(self, job: Job) -> JobResult:
        """Raise Misconfigured."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        where = f"headway.yaml: environments.{self.environment}.infrastructure"
        raise Misconfigured(where, "was not applied yet", next_step="headway run applies it")


@dataclass(frozen=True)
class RdsBackups:
    """Backups on RDS: AWS takes them, as the environment's infrastructure says; Headway takes none of its own there."""

    settings: EnvironmentSettings
    has_database: bool

    def take(self, run: str, reason: Reason) -> KeptBackup | None:
        """Raise Misconfigured, with what to say instead, unless the application has no database."""
        if not self.has_database:
            return None
        raise Misconfigured(
            f"headway.yaml: environments.{self.settings.environment}.backups.before_migration",
            f"true, and the database {OF_INFRASTRUCTURE}, where Headway takes none",
            "false: RDS keeps automated snapshots, and can go back to any second of the days it keeps them",
        )

    def kept(self) -> tuple[KeptBackup, ...]:
        """Return none: AWS keeps its own."""
        return ()

    def prove(self, name: str, run: str) -> BackupProof:
        """Raise Misconfigured."""
        self._refuse(name)

    def restore(self, name: str, into: str, run: str) -> Restored:
        """Raise Misconfigured."""
        self._refuse(name)

    def forget(self, name: str) -> None:
        """Raise Misconfigured."""
        self._refuse(name)

    def _refuse(self, name: str) -> NoReturn:
        raise Misconfigured(f"backup {name}", f"there is none: the database {OF_INFRASTRUCTURE}")


def _no_registry(environment: str) -> NoReturn:
    raise Misconfigured(f"registry of {environment}", "there is none", next_step="HEADWAY_REGISTRY=ecr:// headway up")


def open_ecs(
    app: App, environment: Environment, settings: EnvironmentSettings, *, sequence: int, home: Home
) -> OpenEnvironment:
    """Return an environment on ECS, with the credentials of its block for releases and for migrations."""
    target = environment.target
    assert isinstance(target, EcsTarget)
    access, has_database = AwsAccess(settings.aws or AwsAccount()), app.database is not None
    registry = settings.registry or Registry(partial(_no_registry, settings.environment))
    jobs: EcsJobs | NotYet = NotYet(settings.environment)
    database: RdsDatabase | NotYet = NotYet(settings.environment)
    if is_known(target, settings, database=has_database):
        migrating = access.in_phase("migrate")
        jobs = EcsJobs(migrating, task_settings(target, settings), settings)
        if has_database:
            run, instance = f"{settings.environment}-{sequence}", database_settings(target, settings)
            database = RdsDatabase(migrating, jobs, settings, instance, run)
    kind = EcsHost if target.deployer == "none" else EcsServices
    return OpenEnvironment(
        target=kind(
            app, environment, target, settings, access.in_phase("release"), registry, database.find, sequence=sequence
        ),
        jobs=jobs,
        database=database,
        backups=RdsBackups(settings, has_database),
        registry=registry,
    )

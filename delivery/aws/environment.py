"""An environment on AWS: tasks of ECS, jobs beside them, a database on RDS."""

from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from delivery.aws.access import AwsAccess
from delivery.aws.ecs_host import EcsHost
from delivery.aws.ecs_services import EcsServices
from delivery.aws.jobs import EcsJobs
from delivery.aws.rds import RdsDatabase
from delivery.aws.rds_backups import RdsBackups
from delivery.aws.rds_no_backups import NoBackups
from delivery.aws.second_region import SecondRegion
from delivery.aws.second_settings import second_settings
from delivery.aws.stack_outputs import database_settings, is_known, task_settings
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.ports.aws_account import AwsAccount
from delivery.ports.database import DatabaseAccess, Ended
from delivery.ports.environment import OpenEnvironment
from delivery.ports.jobs import ImageDefaults, Job, JobResult
from delivery.ports.registry import Registry
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.spec.ecs_target import EcsTarget
from delivery.spec.environments import Environment


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

    def drop_unfinished(self) -> tuple[str, ...]:
        """Return that there is nothing."""
        return ()

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
    backups: RdsBackups | NoBackups = NoBackups(settings.environment)
    second: SecondRegion | None = None
    if is_known(target, settings, database=has_database):
        migrating = access.in_phase("migrate")
        jobs = EcsJobs(migrating, task_settings(target, settings), settings)
        if has_database:
            run, instance = f"{settings.environment}-{sequence}", database_settings(target, settings)
            database = RdsDatabase(migrating, jobs, settings, instance, run)
            without = environment.backups.drill.without
            if copied := second_settings(target, settings):
                second = SecondRegion(database, home, access, copied, without)
            elsewhere = second.sweep if second else tuple
            backups = RdsBackups(database, home, access.in_phase("backup"), without, elsewhere)
    kind = EcsHost if target.deployer == "none" else EcsServices
    return OpenEnvironment(
        target=kind(
            app, environment, target, settings, access.in_phase("release"), registry, database.find, sequence=sequence
        ),
        jobs=jobs,
        database=database,
        backups=backups,
        registry=registry,
        second_place=second,
    )

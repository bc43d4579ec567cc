"""The database of an environment on RDS: its administrator is RDS's own secret, the application has one of its own."""

import json
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from pydantic import SecretStr

from delivery.aws.access import AwsAccess
from delivery.aws.failures import aws_errors, code_of
from delivery.aws.jobs import EcsJobs
from delivery.aws.secrets import SecretsManager, put_secret
from delivery.changes.migration import NAME as MIGRATION
from delivery.changes.migration import SESSION
from delivery.errors import Misconfigured, Rejected
from delivery.ports.database import USER, DatabaseAccess, Ended, check_beside
from delivery.ports.jobs import Job
from delivery.ports.settings import EnvironmentSettings
from delivery.programs import postgres_change
from delivery.programs.postgres import MAINTENANCE
from delivery.spec.aws_secret import AwsSecretName
from delivery.waiting import until

# The second of the two that take turns.
OTHER_USER = f"{USER}_clone"
AVAILABLE = "available"
# It does not leave these by itself: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html
HOPELESS = ("failed", "storage-full", "restore-error", "inaccessible-encryption-credentials", "incompatible-")
ASLEEP = ("stopped", "stopping")
MISSING = ("DBInstanceNotFound", "DBInstanceNotFoundFault")
AVAILABLE_SECONDS, POLL_SECONDS = 1800.0, 2.0
SCRIPT_SECONDS = 120


@dataclass(frozen=True)
class RdsSettings:
    """An instance by its name, the application's database on it, and an image that has PostgreSQL's programs."""

    instance: str
    name: str = "app"
    client_image: str = "postgres:15-alpine"


class RdsDatabase:
    """The application's database on an instance that somebody else made; its access is a secret of the environment."""

    def __init__(
        self, access: AwsAccess, jobs: EcsJobs, environment: EnvironmentSettings, settings: RdsSettings, run: str
    ) -> None:
        self.access, self.jobs, self.environment, self.settings, self.run = access, jobs, environment, settings, run
        self.client = access.client("rds")
        self.secret = f"headway/{environment.app}/{environment.environment}/database"

    def find(self) -> DatabaseAccess | None:
        """Return how the application reaches it, from its secret; none before it was made."""
        found = self._kept()
        if found is None:
            return None
        return DatabaseAccess(
            name=found["dbname"],
            password=SecretStr(found["password"]),
            user=found["username"],
            host=found["host"],
            port=int(found["port"]),
        )

    def holds_data(self) -> bool:
        """Whether there is the instance, and the application's secret of it."""
        return self._kept() is not None and self.describe() is not None

    def ensure(self, *, anew: bool = False) -> DatabaseAccess:
        """Return how it is reached once the application's role has logged in; its password is made once."""
        kept = self.find()
        return self._let_in(kept.user, kept.password) if kept else self._let_in(USER, _new_password())

    def rotate(self) -> DatabaseAccess:
        """Return a new access, kept in the secret; the one before goes on working until the next rotation.

        Two users take turns, so whatever was started with the old one is not cut off: what is started from now on gets
        the new one. Release once between two rotations.
        https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets_strategies.html
        """
        kept = self.find()
        return self._let_in(OTHER_USER if kept and kept.user == USER else USER, _new_password())

    def _let_in(self, user: str, password: SecretStr) -> DatabaseAccess:
        """Give a user of the application this password, and keep its access once it has logged in."""
        instance = self.available()
        endpoint = instance["Endpoint"]
        access = DatabaseAccess(
            name=self.settings.name,
            password=password,
            user=user,
            host=endpoint["Address"],
            port=int(endpoint["Port"]),
        )
        script = postgres_change.managed_roles_script(USER, access.user, access.name)
        self.run_script(script, self.administrator(instance), {postgres_change.NEW_PASSWORD: access.password})
        self.run_script("select 1;\n", access)
        self._keep(access)
        return access

    def beside(self) -> tuple[str, ...]:
        """Ask the server for its databases."""
        if not self.holds_data():
            return ()
        names = self.run_script(postgres_change.names_script(), self.administrator(self.available()))
        return tuple(
            sorted(set(names.splitlines()) - {"rdsadmin"}, key=lambda name: (name != self.settings.name, name))
        )

    def use(self, name: str) -> str:
        """Change the names of both databases at once."""
        check_beside(name, self.beside())
        kept_as = f"{self.settings.name}_until_{secrets.token_hex(4)}"
        script = postgres_change.swap_script(self.settings.name, kept_as, name)
        self.run_script(script, self.administrator(self.available()))
        return kept_as

    def drop(self, name: str) -> None:
        """Remove one that is beside the application's."""
        check_beside(name, self.beside())
        self.run_script(postgres_change.drop_script(name), self.administrator(self.available()))

    def drop_unfinished(self) -> tuple[str, ...]:
        """Ask the server as the application, which owns what it made."""
        access = self.find()
        return tuple(self.run_script(postgres_change.unfinished_script(access.name), access).split()) if access else ()

    def end_migration(self, run: str) -> Ended:
        """Stop the migration's tasks and end its sessions."""
        family = f"-{run}-{MIGRATION}"
        found = [task for task in self.jobs.tasks.running(run) if family in task.definition]
        for task in found:
            self.jobs.tasks.stop(task, "the migration was given up")
        sessions = 0
        if self.holds_data():
            script = postgres_change.called_sessions_script(f"{SESSION}{run}")
            sessions = int(self.run_script(script, self.administrator(self.available())).strip() or 0)
        return Ended(containers=len(found), sessions=sessions)

    def run_script(self, script: str, access: DatabaseAccess, more: Mapping[str, SecretStr] | None = None) -> str:
        """Run a script beside the database and return what it prints; Rejected, with the last lines, when it fails."""
        return self.run_program(postgres_change.remote_argv(script), access, more)

    def run_program(
        self,
        argv: Sequence[str],
        access: DatabaseAccess,
        more: Mapping[str, SecretStr] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        seconds: float = SCRIPT_SECONDS,
    ) -> str:
        """Run a program of PostgreSQL beside the database and return what it prints, as `run_script` does."""
        own = access.client_env()
        password = SecretStr(own.pop("PGPASSWORD"))
        with tempfile.TemporaryDirectory(prefix="headway-rds-") as folder:
            job = Job(
                name="database",
                image=self.settings.client_image,
                run=f"{self.run}-{secrets.token_hex(4)}",
                log=Path(folder) / "log",
                command=tuple(argv),
                entrypoint=(),
                env={**own, **(env or {})},
                secrets={"PGPASSWORD": password, **(more or {})},
                timeout_seconds=seconds,
            )
            ended = self.jobs.run(job)
            if problem := ended.problem(seconds):
                raise Rejected(f"database {self.settings.name} on RDS instance {self.settings.instance}: {problem}")
            return job.log.read_text()

    def administrator(self, instance: Mapping[str, Any]) -> DatabaseAccess:
        """Return how RDS's own administrator reaches the server; the application is never given that."""
        managed = instance.get("MasterUserSecret")
        if not managed:
            change = f"aws rds modify-db-instance --db-instance-identifier {self.settings.instance}"
            raise Misconfigured(
                f"RDS instance {self.settings.instance}",
                "its administrator's password is not managed by RDS",
                next_step=f"{change} --manage-master-user-password",
            )
        text = SecretsManager(self.access).read(AwsSecretName(managed["SecretArn"])).get_secret_value()
        endpoint = instance["Endpoint"]
        return DatabaseAccess(
            name=MAINTENANCE,
            password=SecretStr(json.loads(text)["password"]),
            user=instance["MasterUsername"],
            host=endpoint["Address"],
            port=int(endpoint["Port"]),
        )

    def available(self, seconds: float = AVAILABLE_SECONDS) -> dict[str, Any]:
        """Return the instance once it is available; Rejected when it will not be, Misconfigured when there is none."""
        found = until(self._settled, seconds=seconds, every=POLL_SECONDS)
        if found is None or found["DBInstanceStatus"] != AVAILABLE:
            status = found["DBInstanceStatus"] if found else "not available yet"
            raise Rejected(f"RDS instance {self.settings.instance} is {status}")
        return found

    def _settled(self) -> dict[str, Any] | None:
        found = self.describe()
        if found is None:
            raise Misconfigured(
                f"RDS instance {self.settings.instance}",
                f"there is none of that name in {self.client.meta.region_name}",
                next_step="name the one that the environment's infrastructure made",
            )
        return found if found["DBInstanceStatus"].startswith((AVAILABLE, *HOPELESS, *ASLEEP)) else None

    def describe(self) -> dict[str, Any] | None:
        """Return the instance as RDS tells of it; none when there is none."""
        return described(self.client, self.settings.instance)

    def _kept(self) -> dict[str, str] | None:
        with aws_errors("secretsmanager"):
            try:
                found = self.access.client("secretsmanager").get_secret_value(
                    SecretId=self.secret, VersionStage="AWSCURRENT"
                )
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException":
                    return None
                raise
        return dict(json.loads(found["SecretString"]))

    def _keep(self, access: DatabaseAccess) -> None:
        """Keep the application's access, in the form that RDS's own secrets have."""
        if self.find() == access:
            return
        content = {
            "engine": "postgres",
            "host": access.host,
            "port": access.port,
            "dbname": access.name,
            "username": access.user,
            "password": access.password.get_secret_value(),
        }
        put_secret(self.access.client("secretsmanager"), self.secret, json.dumps(content))


def described(client: Any, instance: str) -> dict[str, Any] | None:
    """Return an instance as RDS tells of it; none when there is none."""
    with aws_errors("rds"):
        try:
            found = client.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"]
        except ClientError as error:
            if code_of(error) in MISSING:
                return None
            raise
    return dict(found[0])


def delete_instance(client: Any, instance: str) -> None:
    """Let RDS remove an instance with its backups; nothing happens when it is gone, or goes already."""
    with aws_errors("rds"):
        try:
            client.delete_db_instance(
                DBInstanceIdentifier=instance, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
            )
        except ClientError as error:
            busy = code_of(error).startswith("InvalidDBInstanceState")
            found = described(client, instance) if busy else None
            goes = busy and (found is None or found["DBInstanceStatus"] == "deleting")
            if not goes and code_of(error) not in MISSING:
                raise


def _new_password() -> SecretStr:
    return SecretStr(secrets.token_urlsafe(32))

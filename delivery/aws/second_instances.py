"""Instances in a second region that a copy was restored into: for a drill, which removes them, or to stay.

AWS Backup makes them and takes neither tags nor a new password with its metadata, so both are given afterwards. The
names of those for a drill say whose they are, so that one that has no tags yet is found again.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.backup_jobs import GOING, Job, token_of
from delivery.aws.deadlines import Deadline
from delivery.aws.failures import aws_errors, code_of
from delivery.aws.rds import ASLEEP, AVAILABLE, HOPELESS, delete_instance, described
from delivery.aws.rds_copies import BEGUN, DAMAGED, ROLE
from delivery.aws.rds_snapshots import tag_list, tags_of
from delivery.aws.second_vault import Point, SecondVault
from delivery.changes.ledger import LABEL_APP, LABEL_ENVIRONMENT, LABEL_EXPIRES, LABEL_ROLE, LABEL_RUN
from delivery.errors import Misconfigured, Rejected
from delivery.ports.settings import EnvironmentSettings
from delivery.waiting import until

STAYS = "restored-database"
POLL_SECONDS, MOST_TRIES = 2.0, 5
AFTERWARDS = timedelta(minutes=15)
UNTAGGED = timedelta(hours=2)  # it is tagged as soon as it is there, unless its process was killed
_NAME = re.compile(r"(?=.{1,63}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Instance:
    """One that answers, and since when its restore was wanted, by AWS's clock."""

    name: str
    arn: str
    begun: datetime


@dataclass(frozen=True)
class SecondInstances:
    """Makes and removes instances of one environment in its second region."""

    vault: SecondVault
    environment: EnvironmentSettings

    @contextmanager
    def opened(self, point: Point, run: str, deadline: Deadline) -> Iterator[Instance]:
        """Yield an instance for a drill, the one that a process before this one began where there is one; then it goes.

        Raises Rejected when it does not come up within the deadline.
        """
        self.sweep()
        base, lives = f"{self._prefix}{token_of(run, point.arn)[:16]}", timedelta(seconds=deadline.seconds) + AFTERWARDS
        names = [f"{base}-{number}" for number in range(MOST_TRIES)]
        try:
            yield self._come(point, [(name, name) for name in names], self._tags(run, ROLE, lives), deadline)
        finally:
            for name in names:
                if described(self._rds, name):
                    delete_instance(self._rds, name)

    def kept(self, point: Point, into: str, run: str, deadline: Deadline) -> Instance:
        """Return an instance called `into`, which stays; the one that this run began where there is one.

        Raises Misconfigured when there is one that is somebody else's, Rejected when it does not come up.
        """
        whose = (self.environment.app, self.environment.environment, run, point.arn, into)
        tokens = [token_of(*whose, str(number)) for number in range(MOST_TRIES)]
        found = described(self._rds, into)
        if found and not self._is_of(found, run, point, tokens):
            raise Misconfigured(
                f"RDS instance {into} in {self.vault.settings.region}",
                "is there already, and nothing is restored over an instance",
                "another name",
                f"aws rds delete-db-instance --region {self.vault.settings.region} removes one that nobody needs",
            )
        return self._come(point, [(into, token) for token in tokens], self._tags(run, STAYS, None), deadline)

    def mark_damaged(self, instance: Instance) -> None:
        """Write down that something is taken out of it, before that is done: nobody takes it for the copy then."""
        with aws_errors("rds"):
            self._rds.add_tags_to_resource(ResourceName=instance.arn, Tags=tag_list({DAMAGED: "yes"}))

    def sweep(self) -> tuple[str, ...]:
        """Remove those of drills whose time is over, and return their names."""
        now, gone = datetime.now(UTC), []
        with aws_errors("rds"):
            pages = self._rds.get_paginator("describe_db_instances").paginate()
            found = [one for page in pages for one in page["DBInstances"]]
        for one in found:
            name, tags = str(one["DBInstanceIdentifier"]), tags_of(one)
            if not name.startswith(self._prefix) or one["DBInstanceStatus"] == "deleting":
                continue
            told = tags.get(LABEL_EXPIRES)
            over = datetime.fromisoformat(told) if told else one.get("InstanceCreateTime", now) + UNTAGGED
            if over < now:
                delete_instance(self._rds, name)
                gone.append(name)
        return tuple(gone)

    @property
    def _rds(self) -> Any:
        return self.vault.rds

    @property
    def _prefix(self) -> str:
        whose = f"{self.environment.app}\0{self.environment.environment}"
        return f"headway-drill-{sha256(whose.encode()).hexdigest()[:10]}-"

    def _tags(self, run: str, role: str, lives: timedelta | None) -> dict[str, str]:
        own = {
            LABEL_APP: self.environment.app,
            LABEL_ENVIRONMENT: self.environment.environment,
            LABEL_ROLE: role,
            LABEL_RUN: run,
        }
        return own | ({LABEL_EXPIRES: (datetime.now(UTC) + lives).isoformat(timespec="seconds")} if lives else {})

    def _is_of(self, found: Mapping[str, Any], run: str, point: Point, tokens: list[str]) -> bool:
        """Whether an instance is what this run restores: by its tags, or by its job while it has none yet."""
        tags = tags_of(found)
        if LABEL_RUN in tags:
            return (tags[LABEL_RUN], tags.get(LABEL_ROLE)) == (run, STAYS)
        made = {one.id for one in self.vault.jobs.restores_into(str(found["DBInstanceArn"]), point.arn)}
        metadata = self.vault.metadata(point, str(found["DBInstanceIdentifier"])) if made else {}
        return bool(made) and self.vault.jobs.restore(point.arn, metadata, tokens[0]).id in made

    def _come(
        self, point: Point, tries: list[tuple[str, str]], tags: Mapping[str, str], deadline: Deadline
    ) -> Instance:
        """Return an instance that answers to its administrator, made by the first of some names and tokens that can."""
        for name, token in tries:
            found = described(self._rds, name)
            if found and (found["DBInstanceStatus"] == "deleting" or DAMAGED in tags_of(found)):
                continue  # its token is used up as well
            begun = datetime.fromisoformat(tags_of(found)[BEGUN]) if found and BEGUN in tags_of(found) else None
            if not begun:
                job = self.vault.jobs.restore(point.arn, self.vault.metadata(point, name), token)
                if not found and job.state not in GOING:
                    continue  # of a process before this one, which removed what it made or had none
                begun = job.created
                self._appeared(job, name, {**tags, BEGUN: begun.isoformat()}, deadline)
            return Instance(name, str(self._let_in(name, deadline, temporary=LABEL_EXPIRES in tags)), begun)
        raise Rejected(
            f"{point.name} in {self.vault.settings.place} was restored {MOST_TRIES} times by this run, in vain"
        )

    def _appeared(self, job: Job, name: str, tags: Mapping[str, str], deadline: Deadline) -> None:
        """Return once the job has made the instance, which is tagged at once; Rejected with why when it does not."""

        def look() -> dict[str, Any] | Job | None:
            now = self.vault.jobs.look("restore", job.id)
            return described(self._rds, name) or (None if now.state in GOING else now)

        found = until(look, seconds=deadline.left(), every=POLL_SECONDS)
        if not isinstance(found, dict):
            raise Rejected(found.trouble if found else f"{deadline.told}: restore job {job.id} goes on")
        with aws_errors("rds"):
            self._rds.add_tags_to_resource(ResourceName=found["DBInstanceArn"], Tags=tag_list(tags))
        ended = self.vault.jobs.ended(job, deadline.left())
        if ended.trouble:
            raise Rejected(ended.trouble)

    def _let_in(self, name: str, deadline: Deadline, *, temporary: bool) -> str:
        """Return the ARN once RDS has made a new password and keeps it as a secret there.

        The secret of the first region is not there, and the password of the snapshot nobody has to know.
        https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
        """

        def ready() -> dict[str, Any] | None:
            found = described(self._rds, name) or {"DBInstanceStatus": "failed"}
            if found["DBInstanceStatus"].startswith((*HOPELESS, *ASLEEP)):
                return found
            if found["DBInstanceStatus"] == AVAILABLE and not found.get("MasterUserSecret"):
                self._hand_over(name, temporary=temporary)
                return None
            is_active = (found.get("MasterUserSecret") or {}).get("SecretStatus") == "active"
            return found if is_active and found["DBInstanceStatus"] == AVAILABLE else None

        found = until(ready, seconds=deadline.left(), every=POLL_SECONDS)
        if not found or found["DBInstanceStatus"] != AVAILABLE:
            status = found["DBInstanceStatus"] if found else "not available yet"
            raise Rejected(f"RDS instance {name} in {self.vault.settings.region} is {status}")
        return str(found["DBInstanceArn"])

    def _hand_over(self, name: str, *, temporary: bool) -> None:
        """Let RDS manage the password from now on; a copy that goes again keeps no backups of its own."""
        more = {"BackupRetentionPeriod": 0} if temporary else {}
        with aws_errors("rds"):
            try:
                self._rds.modify_db_instance(
                    DBInstanceIdentifier=name, ManageMasterUserPassword=True, ApplyImmediately=True, **more
                )
            except ClientError as error:
                if not code_of(error).startswith("InvalidDBInstanceState"):  # its first backup is under way
                    raise


def check_instance_name(name: str) -> None:
    """Return when RDS takes a name for an instance; Misconfigured otherwise.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html (DBInstanceIdentifier)
    """
    if not _NAME.fullmatch(name):
        raise Misconfigured(
            f"RDS instance {name}",
            "is no name that RDS takes",
            "1 to 63 of a-z, 0-9 and -, beginning with a letter, with no - at the end and no two together",
        )

"""Whether backups are young enough, and proven enough for what takes data away: decided from what is known of them."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from pydantic import Field

from delivery.changes.restores import DRILLS, RestoreRecord, over_limits
from delivery.errors import Rejected
from delivery.model import Model
from delivery.ports.backups import KeptBackup
from delivery.ports.second_place import Copies
from delivery.spec.backups import BackupPolicy


class BackupAges(Model):
    """The newest backup of an environment, and the newest copy of one in a second place."""

    app: str
    environment: str
    newest: datetime | None = None
    copies: Copies | None = Field(None, description="none: there is no second place")
    problems: tuple[str, ...] = Field((), description="what is too old, or not known; empty: all is well")


def ages_of(
    app: str,
    environment: str,
    policy: BackupPolicy,
    kept: Sequence[KeptBackup],
    copies: Copies | None,
    *,
    since: datetime,
    now: datetime,
) -> BackupAges:
    """Return how old the newest are, with a line for each that is too old, and for what is wrong with the copies.

    A backup that is known to be damaged is none. Where there is none yet, it counts from when the environment came.
    """
    newest = max((one.at for one in undamaged(kept)), default=None)

    def too_old(what: str, at: datetime | None) -> str:
        hours = (now - (at or since)) / timedelta(hours=1)
        found = f"the newest {what} is {hours:.1f} h old" if at else f"there is no {what} since {hours:.1f} h"
        limit = f"at most {policy.newest_hours:g} h (environments.{environment}.backups.newest_hours)"
        return f"{found}, {limit}" if hours > policy.newest_hours else ""

    problems = [too_old("backup", newest)]
    if copies:
        problems.append(copies.problem and f"copies in {copies.where}: {copies.problem}")
        problems.append(too_old(f"copy in {copies.where}", copies.newest))
    told = tuple(line for line in problems if line)
    return BackupAges(app=app, environment=environment, newest=newest, copies=copies, problems=told)


def undamaged(kept: Sequence[KeptBackup]) -> list[KeptBackup]:
    """Return the backups that count: of the others it is known that they do not come back."""
    return [one for one in kept if one.proven != "damaged"]


def check_proven(
    environment: str,
    contracts: Collection[str],
    policy: BackupPolicy,
    kept: Sequence[KeptBackup],
    restores: Sequence[RestoreRecord],
    now: datetime,
) -> None:
    """Return when what takes data away may run: a backup that was restored, or a drill, is good and young enough.

    Raises Rejected with the newest one that is good, its age, the limit and the next step.
    """
    newest = max(_proven(environment, policy, kept, restores), default=None)
    if newest and now - newest[0] <= timedelta(days=policy.proven_within_days):
        return
    found = "no backup was restored and found good"
    if newest:
        days = (now - newest[0]) / timedelta(days=1)
        found = f"the newest {newest[1]} is of {newest[0]:%Y-%m-%d %H:%M} UTC, {days:.1f} days old"
    limit = f"at most {policy.proven_within_days:g} days (environments.{environment}.backups.proven_within_days)"
    raise Rejected(
        f"what is marked `contract` ({', '.join(sorted(contracts))}) does not run in {environment}: {found}; {limit}\n"
        f"  next: headway backup --environment {environment}"
    )


def _proven(
    environment: str, policy: BackupPolicy, kept: Iterable[KeptBackup], restores: Iterable[RestoreRecord]
) -> Iterable[tuple[datetime, str]]:
    """Yield the moment of whatever was restored and found good, within the limits of today, and what that was."""
    for one in kept:
        proof = one.proof
        over = proof and over_limits(environment, policy.drill, proof.rpo_seconds, proof.rto_seconds)
        if proof and proof.outcome == "pass" and not over:
            yield one.at, f"backup that was restored and found good ({one.name})"
    for record in restores:
        if record.kind in DRILLS and record.outcome == "pass":
            yield record.at, f"{record.kind} that passed"

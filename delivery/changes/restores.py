"""What every restore of an environment's database showed, proofs and drills among them: kept for good, never changed.

Limits are held against it here, so that whoever looks at it later sees what was said then.
"""

from datetime import datetime
from itertools import islice
from secrets import token_hex
from typing import Any, Literal

from pydantic import Field

from delivery.changes.newest_first import newest_first
from delivery.model import Model
from delivery.ports.backups import BackupProof, Restored
from delivery.ports.drills import Drill, DrillOutcome
from delivery.ports.store import Store
from delivery.spec.backups import DrillPolicy

RestoreKind = Literal["proof", "drill", "drill in a second place", "restore"]
DRILLS: tuple[RestoreKind, ...] = ("drill", "drill in a second place")
READ = 60  # of the newest: two months of nights


class RestoreRecord(Model):
    """One restore. A figure that is not known, as of one that an error ended, is none."""

    at: datetime
    app: str
    environment: str
    run: str
    kind: RestoreKind
    where: str = Field("", description="of a second place: the region and the vault; empty: beside the environment")
    backup: str = Field("", description="which one was restored; empty: a moment, or a copy")
    outcome: DrillOutcome
    rpo_seconds: float | None = None
    rto_seconds: float | None = None
    rows: int | None = None
    size_bytes: int | None = None
    problems: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = Field((), description="what could not be checked, and why")

    def describe(self) -> str:
        """Say when it was and what it came to, with the reasons where that is no pass."""
        figures = [
            f"{name} {in_seconds(value)}"
            for name, value in (("RPO", self.rpo_seconds), ("RTO", self.rto_seconds))
            if value is not None
        ]
        where = f" ({self.where})" if self.where else ""
        why = "" if self.outcome == "pass" else f": {'; '.join((*self.problems, *self.unchecked))}"
        return f"{self.kind}{where} {self.at:%Y-%m-%d %H:%M} UTC: {', '.join([self.outcome, *figures])}{why}"


class Replaced(Model):
    """Which database an application uses now, and what the one before is called."""

    database: str
    kept_as: str


def figures_of(shown: BackupProof | Drill | Restored) -> dict[str, Any]:
    """Return the fields of a record that a restore itself tells."""
    match shown:
        case BackupProof():
            told = shown.model_dump(include={"outcome", "rpo_seconds", "rto_seconds", "rows", "size_bytes"})
            return told | {"problems": shown.differences}
        case Drill():
            more = {"outcome": shown.outcome, "unchecked": shown.unchecked, "problems": shown.problems}
            told = shown.model_dump(include={"rpo_seconds", "rto_seconds", "rows"}) if shown.rto_seconds else {}
            return more | told | ({"where": shown.where} if shown.where else {})
    return {"outcome": "pass", "rto_seconds": shown.seconds, "rows": shown.rows, "backup": shown.backup}


def over_limits(
    environment: str, policy: DrillPolicy, rpo_seconds: float | None, rto_seconds: float | None
) -> tuple[str, ...]:
    """Return a line for each figure that is over its limit: what was found, what is allowed, and which key says so."""
    where = f"environments.{environment}.backups.drill"
    return tuple(
        f"{name} {in_seconds(found)}, at most {in_seconds(limit)} ({where}.{key})"
        for name, key, found, limit in (
            ("RPO", "rpo_seconds", rpo_seconds, policy.rpo_seconds),
            ("RTO", "rto_seconds", rto_seconds, policy.rto_seconds),
        )
        if found is not None and limit is not None and found > limit
    )


def held_to_limits(record: RestoreRecord, policy: DrillPolicy) -> RestoreRecord:
    """Return the record as a failure where a figure is over its limit; a drill that notices no damage stays broken."""
    over = over_limits(record.environment, policy, record.rpo_seconds, record.rto_seconds)
    if not over:
        return record
    outcome = record.outcome if record.outcome == "broken" else "fail"
    return record.model_copy(update={"outcome": outcome, "problems": (*record.problems, *over)})


def in_seconds(value: float) -> str:
    """Return `912 s`, with as many of two digits after the point as say something."""
    return f"{f'{value:.2f}'.rstrip('0').rstrip('.')} s"


class RestoreHistory:
    """The restores of one environment, one object each; the newest are the first that a store lists."""

    def __init__(self, store: Store, app: str, environment: str) -> None:
        self.store, self.folder = store, f"restores/{app}/{environment}"

    def add(self, record: RestoreRecord) -> None:
        """Append `record`."""
        kind = record.kind.replace(" ", "-")
        key = f"{self.folder}/{newest_first(record.at)}-{kind}-{token_hex(2)}.json"
        self.store.put(key, record.model_dump_json(indent=2).encode())

    def newest(self, count: int = READ) -> tuple[RestoreRecord, ...]:
        """Return at most `count` of them, the newest first; no others are read."""
        keys = islice(self.store.keys(self.folder), count)
        return tuple(RestoreRecord.model_validate_json(self.store.get(key)) for key in keys)

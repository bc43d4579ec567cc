"""A drill in a second region: the newest copy restored, read, damaged to see that this is noticed, removed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from delivery.aws.deadlines import Deadline
from delivery.aws.rds import RdsDatabase
from delivery.aws.rds_drill import why
from delivery.aws.rds_looks import Look, Looks, comparable, of_disk
from delivery.aws.rds_reading import check_indexes, look_at, look_at_damaged
from delivery.aws.second_instances import Instance, SecondInstances
from delivery.aws.second_vault import Point
from delivery.errors import HeadwayError, Transient
from delivery.ports.backups import compare, counted_states
from delivery.ports.drills import Drill, outcome_of, told_of
from delivery.ports.table_states import SENTINEL, TableState
from delivery.programs import postgres
from delivery.spec.backups import DrillCheck

NO_TASKS = "not checked: what is in it: nobody says target.second_region.tasks, which would read it"
NO_LOOK = "not checked: whether it is what was there: Headway did not send the newest copy, or not from this machine"
NOBODYS = "0"  # a sentinel that was never written


@dataclass(frozen=True)
class SecondDrill:
    """Drills of one environment's copies; `database` is what tasks there reach of an instance, where there are any."""

    instances: SecondInstances
    looks: Looks
    database: Callable[[str], RdsDatabase | None]
    without: tuple[DrillCheck, ...] = ()

    def run(self, run: str, deadline: Deadline) -> Drill:
        """Return what restoring the newest copy showed; nothing of it is left. Whoever comes after a kill goes on."""
        started, settings = datetime.now(UTC), self.instances.vault.settings
        if settings.lacks:
            lacking = f"not checked: anything: nobody says {settings.lacks}, so nothing is restored"
            return Drill(at=started, outcome="unknown", where=settings.place, unchecked=(lacking,))
        try:
            point = self.instances.vault.point("latest")
            with self.instances.opened(point, run, deadline) as instance:
                return self._checked(point, instance, started, deadline)
        except HeadwayError as error:
            if isinstance(error, Transient) and not deadline.is_over:
                raise
            return Drill(at=started, outcome="fail", where=settings.place, problems=(why(error, deadline),))

    def _checked(self, point: Point, instance: Instance, started: datetime, deadline: Deadline) -> Drill:
        database, look = self.database(instance.name), self.looks.of_copy(point.arn)
        shown = Drill(
            at=started,
            outcome="unknown",
            where=self.instances.vault.settings.place,
            unchecked=(NO_TASKS,),
            rpo_seconds=round(max(0.0, (started - point.at).total_seconds()), 3),
            rto_seconds=_since(instance),
        )
        if database is None:
            return shown
        name = database.settings.name
        after = look_at(database, name, seconds=deadline.left())
        rto = _since(instance)
        wrong, unchecked = self._indexes(database, deadline)
        wrong += _differences(look, after)
        self.instances.mark_damaged(instance)
        token = look.token if look else NOBODYS
        damaged = look_at_damaged(database, name, after, token, seconds=deadline.left())
        notices = bool(set(_differences(look or _as_was(after), damaged)) - set(wrong))
        tables, rows = counted_states(after)
        unchecked += () if look else (NO_LOOK,)
        found = {
            "outcome": outcome_of(wrong, unchecked, notices=notices),
            "problems": told_of(wrong, notices=notices),
            "unchecked": unchecked,
            "tables": tables,
            "rows": rows,
            "rto_seconds": rto,
        }
        return shown.model_copy(update=found)

    def _indexes(self, database: RdsDatabase, deadline: Deadline) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if "indexes" in self.without:
            return (), ()
        return check_indexes(database, database.settings.name, seconds=deadline.left())


def _differences(look: Look | None, copy: tuple[TableState, ...]) -> tuple[str, ...]:
    """Return how a copy is not what was there, one line each; of what nobody knows, that it has no table at all."""
    if look is None:
        return () if counted_states(copy)[0] else ("there is no table in it",)
    lines = compare(*comparable(look, copy))
    sentinel = (SENTINEL, postgres.sentinel_of(look.token), 1)
    has_it = not look.states or any((one.kind, one.name, one.rows) == sentinel for one in copy)
    return lines if has_it else (*lines, "what was written just before the backup is not in the copy")


def _as_was(after: tuple[TableState, ...]) -> Look:
    """Return a look of a copy itself, with which damage to it is compared."""
    return Look(token=NOBODYS, marked=datetime.now(UTC), states=of_disk(after))


def _since(instance: Instance) -> float:
    return round(max(0.0, (datetime.now(UTC) - instance.begun).total_seconds()), 3)

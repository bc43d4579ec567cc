"""End what dead runs began: environments half changed, runs without a process, things without an owner."""

from datetime import UTC, datetime

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import AwaitingRetry, Crashed

from blocks.artifact_store import current_store
from delivery.archive import Archive, HistoryEntry
from delivery.containers.sweep import sweep
from delivery.errors import Transient
from delivery.home import Home
from delivery.journal import Entry, Journal, decide_recovery
from delivery.lease import Lease
from delivery.presence import Roll
from tasks.known import KnownPlace
from tasks.lease import lease_book
from tasks.place import open_environment
from tasks.step import log, step

MOST_ATTEMPTS = 2
UNENDED = [StateType.RUNNING, StateType.PAUSED, StateType.PENDING, StateType.SCHEDULED, StateType.CANCELLING]


@step(timeout_seconds=900, retries=0, name="recover {place.environment} of {place.app.app}", keep=False)
def recover_place(place: KnownPlace, run: str) -> str | None:
    """Finish or withdraw what an abandoned lease began; return what was done, or none when there was nothing to do."""
    book, app, environment = lease_book(), place.app.app, place.environment
    abandoned = book.read(app, environment)
    if not abandoned.is_abandoned(datetime.now(UTC)):
        return None
    try:
        lease = book.take(app, environment, holder=run, reason=f"recovery of {abandoned.holder}")
    except Transient:
        return None  # another run was faster
    try:
        done = _end(place, abandoned, lease, run)
    finally:
        book.give_back(lease)
    log().warning("%s of %s, left by %s: %s", environment, app, abandoned.holder, done)
    return done


def _end(place: KnownPlace, abandoned: Lease, lease: Lease, run: str) -> str:
    store = current_store()
    journal = Journal(store, place.app.app, place.environment)
    entries = journal.entries(abandoned.sequence)
    decision, release = decide_recovery(entries)
    if decision == "nothing" or release is None:
        return "nothing had been changed"

    def note(stage: str) -> None:
        fields = {"at": datetime.now(UTC), "sequence": lease.sequence, "run": run, "verb": decision, "stage": stage}
        journal.write(Entry.model_validate(entries[-1].model_dump() | fields | {"detail": "recovery"}))

    note("intent")
    with open_environment(place.app, place.environment, lease.sequence) as target:
        if decision == "retire":
            target.retire(release)
        else:
            target.withdraw(release)
    note("done")
    happening = "released" if decision == "retire" else "withdrawn"
    entry = HistoryEntry.model_validate(
        {"at": datetime.now(UTC), "run": str(abandoned.holder), "happening": happening, "release": release}
    )
    Archive(store).add_history(place.environment, entry)
    return f"{decision} of {release.fingerprint} done"


@step(timeout_seconds=120, retries=0, keep=False)
def recover_runs() -> list[str]:
    """Start runs again whose process died while the orchestrator thinks they run or wait; once, then they crashed."""
    roll, ended = Roll(Home.current().roll), []
    with get_client(sync_client=True) as client:
        for run in _unended(client):
            presence = roll.find(str(run.id))
            if presence is None or presence.is_alive or run.state_type not in (StateType.RUNNING, StateType.PAUSED):
                continue
            if run.state_name == "Suspended":  # nobody has to be there while it waits
                continue
            again = presence.attempts < MOST_ATTEMPTS
            state: State[None] = (
                AwaitingRetry(message="its process died") if again else Crashed(message="its process died again")
            )
            client.set_flow_run_state(run.id, state, force=True)
            ended.append(f"{run.name}: {'started again' if again else 'crashed'}")
            log().warning("the process of run %s (%s) died: %s", run.name, run.id, ended[-1])
    return ended


@step(timeout_seconds=300, keep=False)
def sweep_orphans() -> list[str]:
    """Remove what has no living owner and return its names."""
    home = Home.current()
    with get_client(sync_client=True) as client:
        living = {str(run.id) for run in _unended(client)} | Roll(home.roll).alive()
    removed = sweep(home.identity, living=living)
    for orphan in removed:
        log().warning("removed %s %s: %s", orphan.kind, orphan.name, orphan.why)
    return [orphan.name for orphan in removed]


def _unended(client: SyncPrefectClient) -> list[FlowRun]:
    """Return every run that has not ended, without the ones that only wait for their schedule."""
    states = FlowRunFilterState(type=FlowRunFilterStateType(any_=UNENDED))
    runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(state=states), limit=200)
    return [run for run in runs if run.state_type != StateType.SCHEDULED or run.start_time is not None]

"""End what dead runs began: environments half changed, runs without a process, things without an owner."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import AwaitingRetry, Cancelled, Crashed

from blocks.artifact_store import current_store
from blocks.environment import remove_settings
from delivery.changes.archive import Archive, HistoryEntry
from delivery.changes.heartbeat import CRASHED, end_leases_of_the_dead
from delivery.changes.journal import Entry, Journal
from delivery.changes.lease import Lease
from delivery.errors import Transient
from delivery.home import Home
from delivery.platform.orchestrator import Orchestrator
from delivery.ports.heartbeats import Heartbeat, Heartbeats
from delivery.releases.order import Order
from delivery.spec.app import App
from tasks.environment import DRAINING_SECONDS, open_environment
from tasks.heartbeat import heartbeats
from tasks.known import KnownEnvironment
from tasks.lease import lease_book, left_to_do, renewed
from tasks.report import report_crash
from tasks.services import open_services
from tasks.step import log, step

MOST_ATTEMPTS = 2
UNENDED = [StateType.RUNNING, StateType.PAUSED, StateType.PENDING, StateType.SCHEDULED, StateType.CANCELLING]
CARRIED = (StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING)
NOTHING = "nothing had been changed"
PAGE = 200
# A worker that lives says so itself when a process of it dies, and what it says must come first.
REPORT_SECONDS = 8.0


@step(timeout_seconds=DRAINING_SECONDS, retries=0, name="recover {known.environment} of {known.app.app}", keep=False)
def recover_environment(known: KnownEnvironment, run: str) -> str | None:
    """Finish or withdraw what an abandoned lease began; return what was done, or none when there was nothing to do."""
    book, app, environment = lease_book(), known.app.app, known.environment
    end_leases_of_the_dead(book, heartbeats())
    abandoned = book.read(app, environment)
    if not abandoned.is_abandoned(datetime.now(UTC)) or not book.is_ours(abandoned):
        return None
    try:
        lease = book.take(app, environment, holder=run, reason=f"recovery of {abandoned.holder}")
    except Transient:
        return None  # another run was faster
    with renewed(lease):
        done = _end_change(known.app, environment, lease, run)
    book.give_back(lease)  # not when that failed: the lease runs out and the next recovery tries again
    log().warning("%s of %s, left by %s: %s", environment, app, abandoned.holder, done)
    return done


@step(timeout_seconds=DRAINING_SECONDS, name="end what was left in {environment}", keep=False)
def end_earlier_change(order: Order, environment: str, lease: Lease) -> None:
    """Finish or withdraw what somebody left half done: whoever waits for a lease takes it before recovery looks."""
    done = _end_change(order.app, environment, lease, order.run)
    if done != NOTHING:
        log().warning("an earlier change was left half done: %s", done)


def _end_change(app: App, environment: str, lease: Lease, run: str) -> str:
    store = current_store()
    journal = Journal(store, app.app, environment)
    decision, release = left_to_do(journal)
    if decision == "nothing" or release is None:
        return _swept(app, environment, lease, journal)

    def note(stage: str) -> None:
        fields = {"at": datetime.now(UTC), "app": app.app, "environment": environment, "sequence": lease.sequence}
        fields |= {"run": run, "verb": decision, "stage": stage, "release": release, "detail": "recovery"}
        journal.write(Entry.model_validate(fields))

    note("intent")
    with open_environment(app, environment, lease.sequence) as opened:
        target = opened.target
        match decision:
            case "retire":
                target.retire(release)
            case "remove":
                target.remove()
                remove_settings(app.app, environment)
            case "end-migration":
                target.claim()  # whoever began it and only slept can begin none any more
                opened.database.end_migration(_migrating_run(journal))
            case _:
                target.withdraw(release)
    note("done")
    if decision == "end-migration":  # its release was never staged: there is no history of it here
        return f"the migration to {release.fingerprint} is ended"
    happening = {"retire": "released", "remove": "removed"}.get(decision, "withdrawn")
    entry = HistoryEntry.model_validate(
        {"at": datetime.now(UTC), "run": run, "happening": happening, "release": release}
    )
    Archive(store).add_history(environment, entry)
    return f"{decision} of {release.fingerprint} done"


def _swept(app: App, environment: str, lease: Lease, journal: Journal) -> str:
    """Remove what a restore left that was not brought to its end; return what was done, in words."""
    last = journal.last()
    if app.database is None or last is None or (last.verb, last.stage) != ("restore", "intent"):
        return NOTHING
    with open_environment(app, environment, lease.sequence) as opened:
        opened.target.claim()  # whoever began it and only slept can go on with it no more
        left = opened.backups.sweep()
    return f"removed {', '.join(left)}, which a restore left" if left else NOTHING


def _migrating_run(journal: Journal) -> str:
    """Return the run whose migration began last."""
    sequence = journal.last_sequence() or 0
    while sequence:
        if begun := [entry for entry in journal.entries(sequence) if entry.verb == "migrate"]:
            return begun[-1].run
        sequence -= 1
    return ""


def free_unchanged(environments: list[KnownEnvironment], run: str) -> None:
    """Free what was left by runs that died before they changed anything, in environments that no journal speaks of."""
    book, known = lease_book(), {(one.app.app, one.environment) for one in environments}
    for lease in book.all():
        is_left = lease.is_abandoned(datetime.now(UTC)) and book.is_ours(lease)
        if not is_left or (lease.app, lease.environment) in known:
            continue
        if left_to_do(Journal(current_store(), lease.app, lease.environment))[0] == "nothing":
            with suppress(Transient):  # somebody wants it just now
                book.give_back(book.take(lease.app, lease.environment, holder=run, reason="recovery"))


@step(timeout_seconds=120, retries=0, keep=False)
def recover_runs() -> list[str]:
    """Start runs again whose process died while the orchestrator thinks they run or wait; once, then they crashed."""
    kept = heartbeats()
    with kept.alone() as alone, get_client(sync_client=True) as client:
        if not alone or not kept.dead():
            return []
        if kept.unattended():
            time.sleep(REPORT_SECONDS)
        unended = {str(run.id): run for run in unended_runs(client)}
        # Another platform has a server of its own, and ends its runs itself; or it has the same, and they are in it.
        dead = [one for one in kept.dead() if kept.is_ours(one) or one.run in unended]
        return [words for heartbeat in dead if (words := _end(client, kept, heartbeat, unended))]


def _end(client: SyncPrefectClient, kept: Heartbeats, heartbeat: Heartbeat, unended: dict[str, FlowRun]) -> str | None:
    run = unended.get(heartbeat.run)
    if run is None:  # it has ended; its process could not say so
        _report_crash(client, heartbeat)
        kept.leave(heartbeat.run)
        return None
    if run.state_type not in CARRIED or run.state_name == "Suspended":  # nobody has to be there while it waits
        kept.attend(heartbeat)
        return None
    state, words = _after_death(run, heartbeat)
    client.set_flow_run_state(run.id, state, force=True)
    if state.is_final():
        _report_crash(client, heartbeat)
        kept.leave(heartbeat.run)
    else:
        kept.attend(heartbeat)
    log().warning("the process of run %s (%s) died: %s", run.name, run.id, words)
    return f"{run.name}: {words}"


def _report_crash(client: SyncPrefectClient, heartbeat: Heartbeat) -> None:
    """See to the report of a delivery or rollback that crashed: its process writes none any more."""
    with suppress(ObjectNotFound, ValueError):  # the server may have another past than this folder
        run = client.read_flow_run(UUID(heartbeat.run))
        if run.state_type == StateType.CRASHED and heartbeat.begins_again:
            report_crash(run, client.read_flow(run.flow_id).name, CRASHED)


def _after_death(run: FlowRun, heartbeat: Heartbeat) -> tuple[State[None], str]:
    """Return the state of a run whose process died, and what that means in words."""
    if run.state_type == StateType.CANCELLING:
        return Cancelled(message="its process died while it was cancelled"), "cancelled"
    if not heartbeat.begins_again:
        return Crashed(message="its process died"), "crashed"
    if heartbeat.attempts < MOST_ATTEMPTS:
        return AwaitingRetry(message="its process died"), "started again"
    return Crashed(message="its process died again"), "crashed"


def revive_keeper() -> None:
    """Start the keeper unless it lives: the two look after each other."""
    Orchestrator(Home.current()).start_keeper()


@step(timeout_seconds=300, keep=False)
def sweep_orphans() -> list[str]:
    """Remove what has no living owner and return its names, unless somebody does just that."""
    home = Home.current()
    with heartbeats().alone() as alone:
        return _sweep(home) if alone else []


def _sweep(home: Home) -> list[str]:
    with get_client(sync_client=True) as client:
        living = {str(run.id) for run in unended_runs(client)} | heartbeats().alive()
    removed = open_services().orphans.sweep(living)
    for orphan in removed:
        log().warning("removed %s %s: %s", orphan.kind, orphan.name, orphan.why)
    return [orphan.name for orphan in removed]


def unended_runs(client: SyncPrefectClient) -> list[FlowRun]:
    """Return every run that has begun and not ended; there are hundreds that only wait for their schedule."""
    unended = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNENDED)),
        start_time=FlowRunFilterStartTime(is_null_=False),
    )
    found: list[FlowRun] = []
    while page := client.read_flow_runs(flow_run_filter=unended, limit=PAGE, offset=len(found)):
        found += page
    return found

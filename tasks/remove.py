"""Take an application, or some of its environments, off the platform."""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun

from blocks.artifact_store import current_store
from blocks.environment import has_settings, remove_settings
from delivery.changes.archive import Archive, HistoryEntry
from delivery.changes.journal import Entry, Journal
from delivery.changes.lease import Lease
from delivery.errors import HeadwayError, Rejected
from delivery.home import Home
from delivery.ports.backups import KeptBackup
from delivery.ports.belongings import Belonging
from delivery.ports.environment import OpenEnvironment
from delivery.ports.remains import EnvironmentRemains, Remains
from delivery.releases.order import Order
from delivery.spec.configuration import FILE, load_app
from tasks.environment import open_environment
from tasks.known import current_environments
from tasks.lease import lease_book, renewed
from tasks.notes import last_notes
from tasks.recover import unended_runs
from tasks.services import open_services
from tasks.step import log, step

WAIT = "wait for its end, or cancel it in the UI"


def find_remains(app: str, environments: Sequence[str] | None = None) -> Remains:
    """Return what the platform has of `app`, or of some of its environments alone; nothing is changed."""
    inventory = open_services().inventory
    known = {one.environment for one in current_environments() if one.app.app == app}
    names = sorted(known | inventory.environments(app))
    found = [_look(app, name) for name in names if environments is None or name in environments]
    whole = len(found) == len(names)
    repositories = tuple(inventory.repositories(app)) if whole else ()
    return Remains(app=app, environments=tuple(found), repositories=repositories, whole=whole)


def check_nobody_uses(remains: Remains, but: str = "") -> None:
    """Return when no run but `but` holds an environment or is on its way to one; Rejected with its name otherwise."""
    book, now = lease_book(), datetime.now(UTC)
    for one in remains.environments:
        lease = book.read(remains.app, one.environment)
        if lease.is_held(now) and lease.holder != but:
            raise Rejected(f"{lease.describe()}\n  next: {WAIT}")
    with get_client(sync_client=True) as client:
        for run in unended_runs(client):
            if str(run.id) != but and _delivers(run) == remains.app:
                raise Rejected(f"{run.name} (run {str(run.id)[:8]}) delivers {remains.app}\n  next: {WAIT}")


@step(timeout_seconds=60, retries=0, name="take all environments", keep=False)
def take_leases(remains: Remains, run: str) -> list[Lease]:
    """Return the leases of all environments; Rejected, with none taken, when somebody else holds one."""
    check_nobody_uses(remains, but=run)
    book, taken = lease_book(), list[Lease]()
    try:
        for one in remains.environments:
            reason = f"removal of {remains.app}"
            taken.append(book.take(remains.app, one.environment, holder=run, reason=reason, policy="reject"))
    except Rejected:
        for lease in taken:
            book.give_back(lease)
        raise
    return taken


@step(timeout_seconds=900, retries=0, name="remove environments", keep=False)
def remove_environments(leases: Sequence[Lease], run: str, *, backups: bool = False) -> list[str]:
    """Remove what the leased environments have, their databases and settings included, and return the names of it.

    Kept backups stay, unless `backups` is on.
    """
    removed: list[str] = []
    with ExitStack() as held:
        for lease in leases:
            held.enter_context(renewed(lease))
        for lease in leases:
            removed += [f"{one.kind} {one.name}" for one in _remove(lease, run, backups=backups)]
            log().warning("removed %s of %s", lease.environment, lease.app)
    return removed


@step(timeout_seconds=900, retries=0, name="remove what runs in {lease.environment}", keep=False)
def remove_what_runs(lease: Lease, run: str) -> list[str]:
    """Remove what the leased environment runs, and return the names of it; its settings stay."""
    if all((one.app.app, one.environment) != (lease.app, lease.environment) for one in current_environments()):
        return []
    return [f"{one.kind} {one.name}" for one in _remove(lease, run, backups=False, settings=False)]


@step(timeout_seconds=300, keep=False)
def remove_images(remains: Remains) -> list[str]:
    """Remove the application's images when none of its environments stays, and forget its folder."""
    if not remains.whole:
        return []
    home = Home.current()
    open_services().inventory.remove_images(remains.app)
    if home.project.exists() and _app_in(Path(home.project.read_text().strip())) == remains.app:
        home.project.unlink()
    return [f"images {name}" for name in remains.repositories]


def _look(app: str, environment: str) -> EnvironmentRemains:
    known = next((one for one in current_environments() if (one.app.app, one.environment) == (app, environment)), None)
    settings = f"{app}-{environment}" if has_settings(app, environment) else ""
    if known is None:  # described by nothing that can be read: what carries its labels is all that is known
        found = open_services().inventory.belongings(app, environment)
        return EnvironmentRemains(environment=environment, belongings=found, settings=settings)
    with open_environment(known.app, environment) as opened:
        live, kept = opened.target.observe().live, _own_backups(opened)
        return EnvironmentRemains(
            environment=environment,
            live=live.release.fingerprint if live and live.release else "",
            belongings=opened.target.belongings(),
            backups=len(kept),
            backups_where=kept[0].where.rpartition("/")[0] if kept else "",
            settings=settings,
        )


def _own_backups(opened: OpenEnvironment) -> list[KeptBackup]:
    """Return the backups that Headway took; others are not its to remove."""
    return [one for one in opened.backups.kept() if not one.of_the_place]


def _remove(lease: Lease, run: str, *, backups: bool, settings: bool = True) -> tuple[Belonging, ...]:
    app, environment, store = lease.app, lease.environment, current_store()
    journal = Journal(store, app, environment)
    last = journal.last()

    def write(stage: str) -> None:
        if last is not None:
            fields = {"at": datetime.now(UTC), "verb": "remove", "stage": stage, "run": run, "sequence": lease.sequence}
            journal.write(Entry.model_validate(last.model_dump() | fields | {"detail": ""}))

    write("intent")
    known = next((one for one in current_environments() if (one.app.app, one.environment) == (app, environment)), None)
    if known is None:
        inventory = open_services().inventory
        removed = inventory.belongings(app, environment)
        inventory.remove(app, environment)
    else:
        with open_environment(known.app, environment, lease.sequence) as opened:
            removed = opened.target.remove()
            for kept in _own_backups(opened) if backups else ():
                opened.backups.forget(kept.name)
                removed = (*removed, Belonging(kind="backup", name=kept.name))
    if settings:
        remove_settings(app, environment)
    if last is not None:
        entry = HistoryEntry(at=datetime.now(UTC), run=run, happening="removed", release=last.release)
        Archive(store).add_history(environment, entry)
    write("done")
    return removed


def _delivers(run: FlowRun) -> str | None:
    """Return the application that a delivery or rollback is about, or none for another run."""
    orders = last_notes(str(run.id), "order", Order)
    if orders:
        return orders[0].app.app
    if project := run.parameters.get("project"):
        return _app_in(Path(project))
    return str(run.parameters["app"]) if "app" in run.parameters else None


def _app_in(folder: Path) -> str | None:
    try:
        return load_app(folder / FILE).app
    except (HeadwayError, OSError):
        return None

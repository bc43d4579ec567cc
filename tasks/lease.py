"""Take, renew and give back the lease of an environment."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from blocks.artifact_store import current_store
from delivery.changes.journal import BEGIN_CHANGE, Decision, Entry, Journal, decide_recovery
from delivery.changes.lease import RENEW_SECONDS, Lease
from delivery.errors import HeadwayError, Rejected, Transient
from delivery.home import Home
from delivery.ports.leases import Leases
from delivery.releases.release import Release
from delivery.state import open_leases
from tasks.notes import note
from tasks.step import log, step

POLL_SECONDS = 0.5
WAIT_SECONDS = 3600


def lease_book() -> Leases:
    """Return the leases of this platform."""
    return open_leases(Home.current())


@step(timeout_seconds=WAIT_SECONDS + 60, name="take {environment}", keep=False)
async def take_lease(
    app: str, environment: str, holder: str, reason: str, policy: str, steal: str | None = None, name: str = ""
) -> Lease:
    """Return the environment's lease, after waiting for whoever holds it unless `policy` is reject.

    The run `steal` is not waited for: the lease is taken from it. Raises Rejected when it is still held after an hour.
    """
    said, started = "", time.monotonic()
    while True:
        try:
            taken = await asyncio.to_thread(
                lease_book().take, app, environment, holder=holder, reason=reason, name=name, policy=policy, steal=steal
            )
            if taken.was_taken_over and taken.takeover and taken.takeover.by == holder:
                log().warning("%s", taken.takeover.describe())
                note(holder, "thefts", environment, taken.takeover)
            return taken
        except Transient as busy:
            if str(busy) != said:
                log().warning("waiting: %s", busy)
                said = str(busy)
            if time.monotonic() - started > WAIT_SECONDS:
                raise Rejected(f"waited for {WAIT_SECONDS} s: {busy}") from busy
        await asyncio.sleep(POLL_SECONDS)


async def renew(lease: Lease) -> None:
    """Move the lease's expiry; Rejected when it was lost or a newer run asks for it."""
    try:
        await asyncio.to_thread(lease_book().renew, lease)
    except OSError as error:
        raise Transient(f"the lease was not renewed: {error}") from error


async def give_back(lease: Lease) -> None:
    """Free the environment, or let the lease run out now when a change is left half done: recovery ends that."""
    try:
        if (await asyncio.to_thread(lease_book().read, lease.app, lease.environment)).sequence != lease.sequence:
            return  # whoever took it ends what was left half done
        journal = Journal(current_store(), lease.app, lease.environment)
        decision, release = await asyncio.to_thread(left_to_do, journal)
        if decision == "nothing":
            await asyncio.to_thread(lease_book().give_back, lease)
        elif release is not None:
            log().error("%s of %s is left to recovery: %s", decision, release.fingerprint, lease.describe())
            await asyncio.to_thread(lease_book().end, lease)
    except (OSError, HeadwayError) as error:  # how the run ended says more than this
        log().error("the lease was not given back, it runs out: %s", error)


@contextmanager
def renewed(lease: Lease) -> Iterator[None]:
    """Renew the lease while a blocking body runs."""
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(RENEW_SECONDS):
            with suppress(HeadwayError, OSError):
                lease_book().renew(lease)

    threading.Thread(target=keep, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def left_to_do(journal: Journal) -> tuple[Decision, Release | None]:
    """Say how to end the newest change of an environment: whoever began it, and whoever tried to end it since."""
    entries: list[Entry] = []
    sequence = journal.last_sequence() or 0
    while sequence and not any(_begins_change(entry) for entry in entries):
        entries = [*journal.entries(sequence), *entries]
        sequence -= 1
    begun = [number for number, entry in enumerate(entries) if _begins_change(entry)]
    return decide_recovery(entries[begun[-1] :] if begun else [])


def _begins_change(entry: Entry) -> bool:
    return entry.verb in BEGIN_CHANGE and entry.stage == "intent"

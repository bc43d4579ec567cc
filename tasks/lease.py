"""Take, renew and give back the lease of an environment."""

import asyncio

from blocks.artifact_store import current_store
from delivery.errors import Transient
from delivery.home import Home
from delivery.journal import Decision, Journal, decide_recovery
from delivery.lease import Lease, LeaseBook
from delivery.release import Release
from tasks.step import log, step

POLL_SECONDS = 0.5
WAIT_SECONDS = 3600


def lease_book() -> LeaseBook:
    """Return the leases of this platform."""
    return LeaseBook(Home.current().leases)


@step(timeout_seconds=WAIT_SECONDS, name="take {environment}", keep=False)
async def take_lease(app: str, environment: str, holder: str, reason: str, policy: str) -> Lease:
    """Return the environment's lease, after waiting for whoever holds it unless `policy` is reject."""
    said = ""
    while True:
        try:
            return await asyncio.to_thread(
                lease_book().take, app, environment, holder=holder, reason=reason, policy=policy
            )
        except Transient as busy:
            if str(busy) != said:
                log().info("waiting: %s", busy)
                said = str(busy)
        await asyncio.sleep(POLL_SECONDS)


async def renew(lease: Lease) -> None:
    """Move the lease's expiry; Rejected when it was lost or a newer run asks for it."""
    try:
        await asyncio.to_thread(lease_book().renew, lease)
    except OSError as error:
        raise Transient(f"the lease was not renewed: {error}") from error


async def give_back(lease: Lease) -> None:
    """Free the environment, unless a change is left half done: then the lease runs out and recovery ends the change."""
    decision, release = await asyncio.to_thread(_left_to_do, lease)
    if decision == "nothing":
        await asyncio.to_thread(lease_book().give_back, lease)
    elif release is not None:
        log().error("%s of %s is left to recovery: %s", decision, release.fingerprint, lease.describe())


def _left_to_do(lease: Lease) -> tuple[Decision, Release | None]:
    return decide_recovery(Journal(current_store(), lease.app, lease.environment).entries(lease.sequence))

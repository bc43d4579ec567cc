"""Take, renew and give back the lease of an environment."""

import asyncio

from delivery.errors import Transient
from delivery.home import Home
from delivery.lease import Lease, LeaseBook
from tasks.step import log, step

POLL_SECONDS = 0.5
WAIT_SECONDS = 3600


def lease_book() -> LeaseBook:
    """Return the leases of this platform."""
    return LeaseBook(Home.current().root / "leases")


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
    """Free the environment."""
    await asyncio.to_thread(lease_book().give_back, lease)

"""What the release's migrations do, tried on copies before any environment is touched."""

from delivery.releases.order import Built, Order
from delivery.releases.release import Release
from tasks.rehearsal import migration_of, rehearse_migrations


async def rehearse(order: Order, built: Built, release: Release) -> None:
    """Rehearse for each environment on the way where something is live; Rejected when what was shown stops there."""
    if migration_of(order.app):
        for environment in (*order.stops, order.environment):
            await rehearse_migrations(order, built, release, environment)

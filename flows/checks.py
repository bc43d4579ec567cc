"""What a release is asked on its way into an environment, by that environment's policy."""

from delivery.releases.order import Built, Order
from delivery.releases.release import Release
from delivery.spec.app import environment_of
from delivery.spec.checks import Moment
from tasks.checks import run_check
from tasks.tests import run_acceptance


async def check(order: Order, built: Built | None, release: Release, environment: str, moment: Moment) -> None:
    """Run the environment's checks of this moment, one after the other; raise what the first failing one says.

    Without `built` suites are left out: their images may be gone.
    """
    for one in environment_of(order.app, environment).checks:
        if one.at == moment and (built or not one.suite):
            await run_check(order, built, environment, release, one)


async def accept(order: Order, built: Built | None, environment: str) -> None:
    """Run the environment's acceptance suites, one after the other; Rejected when one does not pass.

    Without `built` none is run.
    """
    if built is None:
        return
    for suite in environment_of(order.app, environment).acceptance:
        await run_acceptance(order, built, environment, suite)

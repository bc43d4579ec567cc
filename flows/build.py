"""Phase 1: all images of a revision, side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from weakref import WeakValueDictionary

from prefect import flow

from delivery.releases.order import Built, Order
from delivery.releases.release import BuiltImage
from delivery.spec.matrix import suites_of_environments
from flows.announcing import announced
from flows.limits import at_most, begun, both
from tasks.build import build_image, build_suite
from tasks.images import find_images
from tasks.scan import prepare_scanner

_QUEUED: "WeakValueDictionary[str, asyncio.Event]" = WeakValueDictionary()
FIRST_LOOK_SECONDS = 10.0  # a database that takes longer to be had comes while images are built


@flow(name="build", flow_run_name="build {order.app.app} {order.revision.short}", persist_result=True)
@announced("build")
async def build(order: Order) -> Built:
    """Build and push every image of the application and of its test matrix; the scanner is brought up meanwhile."""
    await find_images(order)
    # That there is no vulnerability database is mostly known at once, and then nothing need be built.
    scanner = await begun(prepare_scanner(order), wait_seconds=FIRST_LOOK_SECONDS)
    asyncio.get_running_loop().call_soon(queued(order).set)  # once those below wait for their turn
    together = _side_by_side(order)
    elsewhere = suites_of_environments(order.app)
    suites = [name for name, suite in order.app.suites.items() if suite.build and name not in elsewhere]
    (images, tests), _ = await both(
        both(
            together(build_image(order, name) for name in order.app.images),
            together(build_suite(order, name) for name in suites),
        ),
        scanner,
    )
    return Built(images=tuple(images), suites=tuple(tests))


def queued(order: Order) -> asyncio.Event:
    """Return what is set once the builds that tests and scans wait for are in the queue."""
    return _QUEUED.setdefault(order.run, asyncio.Event())


async def build_late(order: Order) -> tuple[BuiltImage, ...]:
    """Build and push the images of the suites that only environments run, which nothing needs before a release.

    They take their turns after all others, so that no test waits for them.
    """
    await queued(order).wait()
    suites = [name for name in suites_of_environments(order.app) if order.app.suites[name].build]
    return await build_suites(order, sorted(suites)) if suites else ()


@flow(
    name="build acceptance",
    flow_run_name="build acceptance of {order.app.app} {order.revision.short}",
    persist_result=True,
)
async def build_suites(order: Order, suites: list[str]) -> tuple[BuiltImage, ...]:
    """Build and push the images of `suites`."""
    return tuple(await _side_by_side(order)(build_suite(order, name) for name in suites))


def _side_by_side(order: Order) -> Callable[[Iterable[Awaitable[BuiltImage]]], Awaitable[list[BuiltImage]]]:
    """Return a `gather` for builds: as many at once as the file allows for all of a run."""
    return at_most(order.app.parallel_builds, among=f"builds of {order.run}")

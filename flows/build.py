"""Phase 1: all images of a revision, side by side."""

from prefect import flow

from delivery.order import Built, Order
from flows.limits import at_most, both
from tasks.build import build_image, build_suite
from tasks.scan import prepare_scanner


@flow(name="build", flow_run_name="build {order.revision.short}", persist_result=True)
async def build(order: Order) -> Built:
    """Build and push every image of the application and of its suites; the scanner is brought up meanwhile."""
    together = at_most(order.app.parallel_builds)
    suites = [name for name, suite in order.app.suites.items() if suite.build]
    (images, tests), _ = await both(
        both(
            together(build_image(order, name) for name in order.app.images),
            together(build_suite(order, name) for name in suites),
        ),
        prepare_scanner(order),
    )
    return Built(images=tuple(images), suites=tuple(tests))

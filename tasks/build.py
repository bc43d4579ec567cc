"""Build the images of a revision, and those its suites need."""

from blocks.registry import current_registry
from delivery import progress
from delivery.docker.images import builder
from delivery.home import Home
from delivery.progress import Tell
from delivery.releases.order import Order
from delivery.releases.release import BuiltImage
from tasks.images import note_stand_ins
from tasks.notes import note
from tasks.sources import laid_out, origin_of
from tasks.step import log, step


@step(timeout_seconds=3600, name="build {name}")
def build_image(order: Order, name: str) -> BuiltImage:
    """Build and push the application's image `name`; the result says its digest."""
    built = builder.build_image(
        laid_out(order),
        name,
        order.app.images[name],
        order.revision,
        repository=f"{current_registry()}/{order.app.app}/{name}",
        home=Home.current(),
        run_id=order.run,
        origin=origin_of(order),
        stand_ins=order.app.stand_ins,
        tell=_tell(name),
    )
    note(order.run, "images", name, built)
    note_stand_ins(order.run, built.bases)
    log().info("built %s with %s in %.1f s", built.ref, built.builder, built.seconds)
    return built


@step(timeout_seconds=3600, name="build suite {name}")
def build_suite(order: Order, name: str) -> BuiltImage:
    """Build and push the image of suite `name`."""
    image = order.app.suites[name].build
    assert image is not None
    built = builder.build_suite(
        laid_out(order),
        name,
        image,
        order.revision,
        repository=f"{current_registry()}/{order.app.app}/suite-{name}",
        home=Home.current(),
        run_id=order.run,
        origin=origin_of(order),
        stand_ins=order.app.stand_ins,
        tell=_tell(f"suite {name}"),
    )
    note_stand_ins(order.run, built.bases)
    return built


def _tell(name: str) -> Tell:
    return lambda doing: log().log(progress.LEVEL, "%s: %s", name, doing)

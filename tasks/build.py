"""Build the images of a revision, and those its suites need."""

from delivery import progress
from delivery.ports.builder import BuildRequest
from delivery.progress import Tell
from delivery.releases.order import Order
from delivery.releases.release import BuiltImage
from delivery.spec.images import Image
from tasks.images import note_stand_ins
from tasks.named_secrets import build_secrets
from tasks.notes import note
from tasks.services import services_of
from tasks.sources import laid_out, origin_of
from tasks.step import log, step


@step(timeout_seconds=3600, name="build {name}")
def build_image(order: Order, name: str) -> BuiltImage:
    """Build and push the application's image `name`; the result says its digest."""
    built = _build(order, name, name, f"images.{name}", order.app.images[name])
    note(order.run, "images", name, built)
    note_stand_ins(order.run, built.bases)
    log().info("built %s with %s in %.1f s", built.ref, built.builder, built.seconds)
    return built


@step(timeout_seconds=3600, name="build suite {name}")
def build_suite(order: Order, name: str) -> BuiltImage:
    """Build and push the image that only suite `name` needs; it is called `suite-…`."""
    image = order.app.suites[name].build
    assert image is not None
    built = _build(order, f"suite-{name}", f"suite {name}", f"suites.{name}.build", image)
    note_stand_ins(order.run, built.bases)
    return built


def _build(order: Order, name: str, told: str, key: str, image: Image) -> BuiltImage:
    request = BuildRequest(
        source=laid_out(order),
        name=name,
        key=key,
        image=image,
        revision=order.revision,
        repository=f"{order.app.app}/{name}",
        run=order.run,
        origin=origin_of(order),
        stand_ins=order.app.stand_ins,
        secrets=build_secrets(key, image),
    )
    return services_of(order).builder.build(request, _tell(told))


def _tell(name: str) -> Tell:
    return lambda doing: log().log(progress.LEVEL, "%s: %s", name, doing)

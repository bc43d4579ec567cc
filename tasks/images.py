"""Find the images that headway.yaml names, before anything is built, and keep which of them are stand-ins."""

from collections.abc import Iterable

from delivery.errors import Misconfigured, all_of
from delivery.ports.builder import Builder
from delivery.releases.order import Order
from delivery.releases.release import BaseImage
from delivery.spec.images import Image
from delivery.spec.named_images import images_of_environment, images_of_tests
from tasks.environment import image_host
from tasks.notes import note
from tasks.services import services_of
from tasks.sources import laid_out
from tasks.step import step

STAND_INS = "stand-ins"


@step(timeout_seconds=3600, keep=False)
def find_images(order: Order) -> None:
    """Make sure that every image headway.yaml and its Dockerfiles name can be had.

    Raises Misconfigured, with all of them, for those that cannot.
    """
    wanted: dict[str | None, tuple[str, ...]] = {None: images_of_tests(order.app)}
    for environment in () if order.examines else (*order.stops, order.environment):
        host = image_host(order.app, environment)
        wanted[host] = (*wanted.get(host, ()), *images_of_environment(order.app, environment))
    problems, builder = list[Misconfigured](), services_of(order).builder
    for host, names in wanted.items():
        found, missing = builder.find(names, host=host, stand_ins=order.app.stand_ins)
        note_stand_ins(order.run, found)
        problems += missing
    for key, image in order.app.builds().items():
        problems += _missing_bases(builder, order, key, image)
    if problems:
        raise all_of(problems)


def _missing_bases(builder: Builder, order: Order, key: str, image: Image) -> tuple[Misconfigured, ...]:
    """Return what keeps the Dockerfile of `image` from being built before its first step."""
    try:
        names = builder.bases_of(laid_out(order), image, key)
    except Misconfigured as error:
        return (error,)
    return builder.find(names, substitutes=image.bases, stand_ins=order.app.stand_ins)[1]


def note_stand_ins(run: str, bases: Iterable[BaseImage]) -> None:
    """Keep which images of a run are stand-ins, for its report and the release's evidence."""
    for base in bases:
        if base.substitute:
            note(run, STAND_INS, base.asked, base)

"""Find the images that headway.yaml names, before anything is built, and keep which of them are stand-ins."""

from collections.abc import Iterable

from delivery.containers.bases import find_bases
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.named_images import images_of_environment, images_of_tests
from delivery.order import Order
from delivery.release import BaseImage
from tasks.notes import note
from tasks.place import docker_host
from tasks.step import step

STAND_INS = "stand-ins"


@step(timeout_seconds=3600, keep=False)
def find_images(order: Order) -> None:
    """Make sure that every image headway.yaml names can be had; Misconfigured, with all that cannot, when not."""
    wanted: dict[str | None, tuple[str, ...]] = {None: images_of_tests(order.app)}
    for environment in (*order.stops, order.environment):
        host = docker_host(order.app, environment)
        wanted[host] = (*wanted.get(host, ()), *images_of_environment(order.app, environment))
    problems: list[Misconfigured] = []
    for host, names in wanted.items():
        found, missing = find_bases(names, cache=Home.current().cache, host=host, stand_ins=order.app.stand_ins)
        note_stand_ins(order.run, found)
        problems += missing
    if problems:
        raise all_of(problems)


def note_stand_ins(run: str, bases: Iterable[BaseImage]) -> None:
    """Keep which images of a run are stand-ins, for its report and the release's evidence."""
    for base in bases:
        if base.substitute:
            note(run, STAND_INS, base.asked, base)


def all_of(problems: list[Misconfigured]) -> Misconfigured:
    """Return one error that tells of every problem."""
    first, *others = problems
    if not others:
        return first
    found = "\n".join(["", *(f"  {one.where}: {one.found}" for one in problems)])
    steps = dict.fromkeys(one.next_step for one in problems if one.next_step)
    return Misconfigured(f"{len(problems)} images", found, next_step="; ".join(steps))

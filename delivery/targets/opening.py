"""From an environment's configuration to its target."""

from collections.abc import Iterator
from contextlib import contextmanager

from delivery.app import App, DockerTarget, Environment, MemoryTarget
from delivery.home import Home
from delivery.place import Place
from delivery.target import Target


@contextmanager
def open_target(app: App, environment: Environment, place: Place, *, sequence: int) -> Iterator[Target]:
    """Open the target of an environment for the holder of lease `sequence`.

    Errors of whatever runs the target come out as Headway's own.
    """
    match environment.target:
        case DockerTarget() as config:
            from delivery.targets.docker_host import DockerHost  # each target brings its own client

            host = DockerHost(app, environment, config, place, sequence=sequence, home=Home.current())
            with host.guarded():
                yield host
        case MemoryTarget():
            from delivery.targets.memory import MemoryHost

            yield MemoryHost(place, sequence)

"""From an environment's configuration to its target."""

from delivery.app import App, DockerTarget, Environment, MemoryTarget
from delivery.home import Home
from delivery.place import Place
from delivery.target import Target


def open_target(app: App, environment: Environment, place: Place, *, sequence: int) -> Target:
    """Return the target of an environment for the holder of lease `sequence`; whoever opened it closes it."""
    match environment.target:
        case DockerTarget() as config:
            from delivery.targets.docker_host import DockerHost  # each target brings its own client

            return DockerHost(app, environment, config, place, sequence=sequence, home=Home.current())
        case MemoryTarget():
            from delivery.targets.memory import MemoryHost

            return MemoryHost(place, sequence)

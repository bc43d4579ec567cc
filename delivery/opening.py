"""From an environment's configuration to its target."""

from delivery.home import Home
from delivery.ports.place import Place
from delivery.ports.target import Target
from delivery.spec.app import App
from delivery.spec.environments import DockerTarget, Environment, MemoryTarget


def open_target(app: App, environment: Environment, place: Place, *, sequence: int) -> Target:
    """Return the target of an environment for the holder of lease `sequence`; whoever opened it closes it."""
    match environment.target:
        case DockerTarget() as config:
            from delivery.docker.target.docker_host import DockerHost  # each target brings its own client

            return DockerHost(app, environment, config, place, sequence=sequence, home=Home.current())
        case MemoryTarget():
            from delivery.memory.target import MemoryHost

            return MemoryHost(place, sequence)

"""The guard of a release on a Docker host: who looks out for faults, and the way back laid ready."""

from collections.abc import Sequence

from docker import DockerClient

from delivery.docker.target.instances import Instance, backends
from delivery.docker.target.router import Router
from delivery.docker.target.sentinels import EngineSentinel, HealthSentinel, RouterSentinel
from delivery.ports.slots import Colour, other
from delivery.traffic.guard import Guard


def start_guard(
    client: DockerClient, router: Router, instances: Sequence[Instance], colour: Colour, sequence: int
) -> Guard:
    """Return a guard whose way back is laid ready: an alarm costs one call, and waits for no turn."""
    own = [one for one in instances if one.colour == colour]
    back: dict[Colour, int] = {colour: 0, other(colour): 100}
    forth: dict[Colour, int] = {colour: 100, other(colour): 0}
    ways = (backends(instances, back, other(colour)), backends(instances, forth, other(colour)))
    script = router.prepare(*ways) if len(own) < len(instances) else ":"
    alone = Router(client, router.names, router.container)
    guard = Guard(lambda: alone.use(sequence, script))
    asked = [HealthSentinel(router, one) for one in own if one.file.port and one.file.checked.path]
    late = max((one.file.checked.grace_seconds for one in own if one.file.port), default=0)
    guard.start([EngineSentinel(client, own), RouterSentinel(router, colour, late), *asked])
    return guard

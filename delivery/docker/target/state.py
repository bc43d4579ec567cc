"""What stands in the slots of a Docker host: read from router, engine and instances, at one moment."""

from collections.abc import Mapping, Sequence

from docker import DockerClient

from delivery.docker.target.instances import Instance
from delivery.docker.target.router import Router
from delivery.docker.target.serving import Ask, asking, runtime_digest, served_version
from delivery.ports.slots import COLOURS, InstanceState, SlotState, TargetState
from delivery.programs import haproxy
from delivery.programs.haproxy_runtime import ServerStat


def read_state(client: DockerClient, router: Router, instances: Sequence[Instance], url: str) -> TargetState:
    """Return the shares of both slots, what stands in them, and what the router remembers; changes nothing."""
    look = router.look()
    stat = {(one.service, one.server): one for one in look.servers}
    weights = {key: one.weight for key, one in stat.items()} or haproxy.weights_in(look.file)
    shares = haproxy.percents(weights)
    with asking(router) as ask:
        slots = [
            SlotState(
                colour=colour,
                release=max(own, key=lambda one: one.sequence).release if own else None,
                weight=shares[colour] if own else 0,
                instances=tuple(_look(client, ask, one, stat) for one in own),
            )
            for colour in COLOURS
            for own in [[one for one in instances if one.colour == colour]]
        ]
    return TargetState(slots=tuple(slots), url=url, sequence=look.obeyed, settled_at=haproxy.settled_at(look.file))


def _look(
    client: DockerClient, ask: Ask, instance: Instance, stat: Mapping[tuple[str, str], ServerStat]
) -> InstanceState:
    server = stat.get((instance.service, instance.server))
    # The image's own check needs its interval to say anything; where the router asks, its word is enough.
    routed = instance.is_running and server is not None and server.is_up
    return InstanceState(
        service=instance.service,
        name=str(instance.container.name),
        digest=runtime_digest(client, instance),
        served_digest=served_version(ask, instance).get("digest") if stat else None,
        healthy=routed if instance.file.port else instance.is_healthy,
    )

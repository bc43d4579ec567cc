"""The instances of a release on a Docker host: containers with labels that say everything about them."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from pydantic import SecretStr

from delivery.changes.ledger import (
    LABEL_APP,
    LABEL_ENVIRONMENT,
    LABEL_HIDDEN,
    LABEL_PLATFORM,
    LABEL_RELEASE,
    LABEL_ROLE,
    LABEL_SEQUENCE,
    LABEL_SERVICE,
    LABEL_SERVICE_FILE,
    LABEL_SLOT,
    environment_labels,
)
from delivery.docker.engine.limits import limits_of, out_of_memory
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.target.volumes import ensure_volumes, own_new_folders
from delivery.ports.slots import COLOURS, Colour
from delivery.programs.haproxy import weights
from delivery.programs.haproxy_values import RouterBackend, RouterServer
from delivery.redaction import Redaction
from delivery.releases.release import Release
from delivery.spec.health import Health
from delivery.spec.services import Service

ROLE = "instance"
STOP_AT_ONCE = 8
NO_HEALTHCHECK = {"test": ["NONE"]}  # the engine's word for: not even that of the image
LOG_LINES = 15


@dataclass(frozen=True)
class Instance:
    """One container of a service in a slot."""

    container: Container
    colour: Colour
    service: str
    number: int
    release: Release
    file: Service
    sequence: int

    @property
    def server(self) -> str:
        """Its name in the router."""
        return f"{self.colour}-{self.number}"

    @property
    def is_running(self) -> bool:
        """Whether the engine says it runs and neither it nor its own health check failed."""
        state = self.container.attrs["State"]
        health = (state.get("Health") or {}).get("Status", "healthy")
        return bool(state["Running"]) and not state.get("Restarting") and health != "unhealthy"

    @property
    def is_healthy(self) -> bool:
        """Whether it runs and its image's own health check, if there is one, passes."""
        health = (self.container.attrs["State"].get("Health") or {}).get("Status", "healthy")
        return self.is_running and health == "healthy"

    @property
    def restarts(self) -> int:
        """How often the engine had to start it again."""
        return int(self.container.attrs.get("RestartCount", 0))

    @property
    def digest(self) -> str:
        """The digest the release promises for it; empty for an image that is not the application's own."""
        image = self.release.images.get(self.file.image or self.service)
        return image.digest if image else ""

    @property
    def address(self) -> str:
        """Where the router finds it: an alias of its own, or its name when it was made before there were any."""
        networks = self.container.attrs["NetworkSettings"]["Networks"].values()
        aliases = {alias for network in networks for alias in network.get("Aliases") or ()}
        own = EnvironmentNames("", "", "").instance_alias(self.colour, self.service, self.number)
        return own if own in aliases else self.container.name or ""

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """The values it was started with of the variables that its label names: a newer one may be in use elsewhere."""
        return secrets_of(self.container)

    @property
    def hide(self) -> Redaction:
        """What must not be in anything that is kept of it."""
        return Redaction(self.secrets)

    def out_of_memory(self) -> str:
        """Return `, out of memory` with the key of its limit when the engine killed something in it, else nothing."""
        return out_of_memory(self.container, f"services.{self.service}", self.file)

    def last_lines(self) -> str:
        """Return the end of its log, without its secrets."""
        return self.hide.text(self.container.logs(tail=LOG_LINES).decode(errors="replace").rstrip())


def secrets_of(container: Container) -> tuple[SecretStr, ...]:
    """Return the values of the variables that a container's label names as secret."""
    hidden = container.labels.get(LABEL_HIDDEN, "").split(",")
    env = dict(line.partition("=")[::2] for line in container.attrs["Config"].get("Env") or ())
    return tuple(SecretStr(env[name]) for name in hidden if name in env)


def list_instances(client: DockerClient, names: EnvironmentNames) -> list[Instance]:
    """Return every instance of an environment, in order of slot, service and number."""
    wanted = {LABEL_PLATFORM: names.platform, LABEL_APP: names.app, LABEL_ENVIRONMENT: names.environment}
    labels = [f"{key}={value}" for key, value in {**wanted, LABEL_ROLE: ROLE}.items()]
    found: list[Instance] = []
    for entry in client.api.containers(all=True, filters={"label": labels}):
        try:
            found.append(_read(client.containers.get(entry["Id"])))
        except NotFound:
            continue  # removed meanwhile
    return sorted(found, key=lambda one: (one.colour, one.service, one.number))


def create_instance(
    client: DockerClient,
    names: EnvironmentNames,
    colour: Colour,
    service: str,
    number: int,
    *,
    file: Service,
    release: Release,
    image: str,
    image_check: bool = True,
    env: Mapping[str, str],
    hidden: Iterable[str],
    sequence: int,
) -> Instance:
    """Create, but do not start, one instance on the environment's network and on that of its slot.

    Its label says which variables are `hidden`, so that whoever reads its log leaves their values out.
    """
    labels = environment_labels(names.platform, names.app, names.environment, ROLE) | {
        LABEL_SLOT: colour,
        LABEL_SERVICE: f"{service}/{number}",
        LABEL_HIDDEN: ",".join(sorted(hidden)),
        LABEL_SEQUENCE: str(sequence),
        **_described(release, file),
    }
    own = client.api.create_endpoint_config(aliases=[names.instance_alias(colour, service, number)])
    container = client.containers.create(
        image,
        file.command,
        name=names.instance(colour, service, number),
        labels=labels,
        environment=dict(env),
        network=names.backbone,
        networking_config={names.backbone: own},
        restart_policy={"Name": "unless-stopped"},  # type: ignore[arg-type]  # the stubs know two of four
        init=file.init,
        volumes=ensure_volumes(client, names, file.volumes),
        healthcheck=None if image_check else NO_HEALTHCHECK,
        **limits_of(file),
    )
    own_new_folders(container, file.volumes.values())
    client.networks.get(names.slot_network(colour)).connect(container, aliases=[service])
    container.reload()
    return _read(container)


def _described(release: Release, file: Service) -> dict[str, str]:
    """Return what says all of the release and its service in labels."""
    # Without `env`, which may name what is nobody's business who may list containers.
    without = file.model_copy(update={"env": {}})
    return {LABEL_RELEASE: release.model_dump_json(), LABEL_SERVICE_FILE: without.model_dump_json()}


def ensure_slot_network(client: DockerClient, names: EnvironmentNames, colour: Colour) -> None:
    """Make sure the slot's own network is there."""
    name = names.slot_network(colour)
    if not client.networks.list(names=[f"^{name}$"]):
        labels = environment_labels(names.platform, names.app, names.environment, "slot") | {LABEL_SLOT: colour}
        client.networks.create(name, driver="bridge", labels=labels)


def remove_slot(client: DockerClient, names: EnvironmentNames, colour: Colour, instances: Iterable[Instance]) -> None:
    """Stop the slot's instances, each within the time its service gets, and remove them and their network."""

    def remove(instance: Instance) -> None:
        try:
            instance.container.stop(timeout=instance.file.stop_seconds)
            instance.container.remove(force=True, v=True)
        except NotFound:
            pass  # somebody else removed it

    with ThreadPoolExecutor(STOP_AT_ONCE) as pool:
        list(pool.map(remove, [one for one in instances if one.colour == colour]))
    try:
        client.networks.get(names.slot_network(colour)).remove()
    except NotFound:
        pass
    except APIError as error:
        if error.status_code != 403:  # something of the user's own is attached: it keeps the network alive
            raise


def backends(
    instances: Sequence[Instance], percents: Mapping[Colour, int], spare: Colour | None = None
) -> list[RouterBackend]:
    """Return what the router must know so that the slots share new requests by `percents`.

    `spare` is the slot that steps in by itself when no instance of the other one answers any more.
    Where the two releases give a path to different services, that of the slot with more traffic counts.
    """
    with_port = [one for one in instances if one.file.port]
    routes = routes_of(instances, percents)
    alone = {colour: routes_of([one for one in instances if one.colour == colour], percents) for colour in COLOURS}
    found: list[RouterBackend] = []
    for service in sorted({one.service for one in with_port}):
        own = [one for one in with_port if one.service == service]
        counts = {colour: sum(one.colour == colour for one in own) for colour in COLOURS}
        weight = weights(percents, counts)
        servers = tuple(
            RouterServer(
                colour=one.colour,
                number=one.number,
                address=one.address,
                port=one.file.port or 0,
                weight=weight[one.colour],
            )
            for one in own
        )
        found.append(
            RouterBackend(
                service=service,
                health=_common_health(own),
                prefixes=_prefixes(routes, service),
                previews={colour: _prefixes(alone[colour], service) for colour in COLOURS},
                servers=servers,
                # Both slots keep what was promised to the requests that they have.
                request_seconds=max(one.file.request_seconds for one in own),
                idle_seconds=max(one.file.idle_seconds for one in own),
                spare=spare,
            )
        )
    return found


def _common_health(instances: Sequence[Instance]) -> Health:
    """Return what the router asks all servers of a service: one path as one host; where releases differ it connects.

    Of limits the more forgiving ones count.
    """
    asked = {(one.file.checked.path, one.file.host) for one in instances}
    path, host = asked.pop() if len(asked) == 1 else (None, None)
    limits = ("timeout_seconds", "interval_seconds", "failures")
    most = {limit: max(getattr(one.file.checked, limit) for one in instances) for limit in limits}
    return Health(path=path, host=host, **most)


def _prefixes(routes: Mapping[str, str], service: str) -> tuple[str, ...]:
    return tuple(prefix for prefix, name in routes.items() if name == service)


def routes_of(instances: Sequence[Instance], percents: Mapping[Colour, int]) -> dict[str, str]:
    """Return path prefix, behind a host where one is said → service; the slot with more traffic has the last word."""
    routes: dict[str, str] = {}
    instances = [one for one in instances if one.file.port]
    for colour in sorted(COLOURS, key=lambda one: percents.get(one, 0)):  # the last word has the one with most
        own = {one.service: one.file.ways for one in instances if one.colour == colour}
        named = {way: service for service, ways in own.items() for way in ways}
        routes |= named or ({"/": next(iter(own))} if len(own) == 1 else {})
    return dict(sorted(routes.items()))


def _read(container: Container) -> Instance:
    labels = container.labels
    service, _, number = labels[LABEL_SERVICE].rpartition("/")
    return Instance(
        container=container,
        colour="blue" if labels[LABEL_SLOT] == "blue" else "green",
        service=service,
        number=int(number),
        release=Release.model_validate_json(labels[LABEL_RELEASE]),
        file=Service.model_validate_json(labels[LABEL_SERVICE_FILE]),
        sequence=int(labels[LABEL_SEQUENCE]),
    )

"""End a migration that was given up: its container, and what the server still does for it."""

from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from delivery.changes.ledger import LABEL_PLATFORM, LABEL_ROLE, LABEL_RUN
from delivery.changes.migration import NAME, SESSION
from delivery.docker.database.beside import running_container
from delivery.docker.database.roles import run_script
from delivery.docker.engine.names import EnvironmentNames
from delivery.errors import Rejected
from delivery.ports.database import Ended
from delivery.programs import postgres_change
from delivery.waiting import until

GONE_SECONDS = 30.0
BETWEEN_SECONDS = 0.2


def end_migration(client: DockerClient, names: EnvironmentNames, run: str) -> Ended:
    """Kill the migration's containers and end its sessions; return how many there were, once all of them are gone.

    Without the sessions' end a server works on what it was asked until it has an answer that nobody reads: it looks
    for its client only then. Raises Rejected when a session does not end.
    """
    containers = _containers(client, names, run)
    addresses = {address for one in containers if (address := _address(one, names))}
    for one in containers:
        _end(one)
    server = running_container(client, names)
    if server is None:
        return Ended(containers=len(containers))
    script = postgres_change.migration_sessions_script(f"{SESSION}{run}", addresses, _living(client, names) - addresses)
    ended = 0

    def are_gone() -> bool:
        nonlocal ended
        found = int(run_script(server, script, "the sessions of a migration could not be ended"))
        ended = max(ended, found)
        return found == 0

    if not until(are_gone, seconds=GONE_SECONDS, every=BETWEEN_SECONDS):
        raise Rejected(f"sessions of a migration that was given up do not end in the database of {names.environment}")
    return Ended(containers=len(containers), sessions=ended)


def _containers(client: DockerClient, names: EnvironmentNames, run: str) -> list[Container]:
    labels = {LABEL_PLATFORM: names.platform, LABEL_RUN: run, LABEL_ROLE: NAME}
    filters: dict[str, Any] = {"label": [f"{key}={value}" for key, value in labels.items()]}
    found: list[Container] = client.containers.list(all=True, filters=filters, ignore_removed=True)
    # The same run migrates databases of test cells, too: those are on networks of their own.
    return [one for one in found if names.backbone in one.attrs["NetworkSettings"]["Networks"]]


def _end(container: Container) -> None:
    """Kill it when it runs, so that whoever waits for it hears of its end; one that would start later is removed."""
    try:
        container.kill()
    except NotFound:
        return
    except APIError:  # it does not run
        try:
            container.remove(force=True, v=True)
        except APIError:
            return


def _address(container: Container, names: EnvironmentNames) -> str:
    return str(container.attrs["NetworkSettings"]["Networks"][names.backbone].get("IPAddress") or "")


def _living(client: DockerClient, names: EnvironmentNames) -> set[str]:
    """Return the addresses from which somebody speaks on the environment's network: containers, and the host."""
    network = client.api.inspect_network(names.backbone)
    ends = [one[key] for one in network["Containers"].values() for key in ("IPv4Address", "IPv6Address")]
    hosts = [one.get("Gateway") or "" for one in network["IPAM"].get("Config") or ()]
    return {address.partition("/")[0] for address in (*ends, *hosts) if address}

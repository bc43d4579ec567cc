"""A platform of its own for one test module, removed with everything it made."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from delivery.changes.ledger import LABEL_PLATFORM
from delivery.docker.engine.client import connect
from delivery.home import Home


def new_home(folder: Path) -> Home:
    """Make a platform's folder that shares only the downloads of base images with others."""
    shared = Home.current().cache
    shared.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cache").symlink_to(shared, target_is_directory=True)
    return Home(folder)


@contextmanager
def own_platform(folder: Path) -> Iterator[Home]:
    """Yield a home that shares only the downloads of base images with others."""
    home = new_home(folder)
    try:
        yield home
    finally:
        remove_platform(home)


def remove_platform(home: Home) -> None:
    """Remove the containers, networks and volumes that carry the platform's label, and its images."""
    client = connect()
    labelled = {"label": f"{LABEL_PLATFORM}={home.identity}"}
    for container in client.containers.list(all=True, filters=labelled, ignore_removed=True):
        container.remove(force=True, v=True)
    for network in client.networks.list(filters=labelled):
        network.remove()
    for volume in client.volumes.list(filters=labelled):
        volume.remove(force=True)


def free_port() -> int:
    """Return a port of this machine that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

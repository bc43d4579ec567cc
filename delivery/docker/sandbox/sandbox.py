"""Containers, networks and volumes that live and die together."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import requests
import urllib3
from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from delivery.changes.ledger import LABEL_ROLE, LABEL_SANDBOX, run_labels
from delivery.docker.engine.client import connect, engine_gone
from delivery.docker.engine.disk import refused
from delivery.docker.engine.logs import log_config
from delivery.docker.engine.reaper import guarded
from delivery.docker.engine.sweep import remove_labelled
from delivery.docker.images.bases import resolve_base
from delivery.errors import Interrupted, Rejected, Transient
from delivery.home import Home
from delivery.ports.jobs import ImageDefaults
from delivery.releases.release import BaseImage
from delivery.spec.stand_ins import StandIns

LIVES = timedelta(hours=2)
STOPPED = ("exited", "dead", "removing")


@dataclass
class Sandbox:
    """A place of its own for a few containers; `open_sandbox` removes all of it."""

    client: DockerClient
    home: Home
    host: str | None
    labels: Mapping[str, str]
    name: str
    network: str = "none"
    stand_ins: StandIns = "when-missing"
    parts: dict[str, Container] = field(default_factory=dict)

    def add_network(self) -> None:
        """Give the containers started from now on a network where they find each other by role."""
        self.client.networks.create(self.name, driver="bridge", labels={**self.labels, LABEL_ROLE: "network"})
        self.network = self.name

    def add_volume(self, name: str = "") -> str:
        """Make sure there is a volume, or the one called `name`, and return what the engine calls it."""
        volume = f"{self.name}.{name}" if name else self.name
        self.client.volumes.create(volume, labels={**self.labels, LABEL_ROLE: "volume"})
        return volume

    def image(self, asked: str) -> str:
        """Return an image the engine has for `asked`."""
        return self.base(asked).used

    def base(self, asked: str) -> BaseImage:
        """Return what the engine has for `asked`, and whether it is a stand-in."""
        return resolve_base(asked, home=self.home, host=self.host, stand_ins=self.stand_ins)

    def create(
        self,
        role: str,
        image: str,
        command: Sequence[str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        network: str | None = None,
        init: bool = True,
        **options: Any,  # the engine's own options
    ) -> Container:
        """Create, but do not start, the container `role`; on the sandbox's network it is found under that name."""
        place = network or self.network
        if place != "none":
            options["networking_config"] = {place: self.client.api.create_endpoint_config(aliases=[role])}
        container = self.client.containers.create(
            self.image(image),
            list(command) if command is not None else None,
            name=f"{self.name}-{role}",
            labels={**self.labels, LABEL_ROLE: role},
            environment=dict(env or {}),
            network=place,
            init=init,
            log_config=log_config(),
            **options,
        )
        self.parts[role] = container
        return container

    def was_emptied(self) -> bool:
        """Tell whether somebody else removes, or removed, one of the containers."""
        for container in self.parts.values():
            try:
                container.reload()
            except NotFound:
                return True
            if container.status in ("removing", "dead"):
                return True
        return False

    def start(self, role: str, image: str, command: Sequence[str] | None = None, **options: Any) -> Container:
        """Create and start the container `role`."""
        container = self.create(role, image, command, **options)
        container.start()
        return container


def outlasting(seconds: float) -> timedelta:
    """Return for how long a sandbox lives in which something may take so many seconds: no sweep takes it before."""
    return max(LIVES, timedelta(seconds=seconds) + timedelta(hours=1))


def image_defaults(client: DockerClient, image: str) -> ImageDefaults:
    """Return what an image that the engine has runs by itself, and with which variables."""
    config = client.images.get(image).attrs["Config"]
    env = dict(line.partition("=")[::2] for line in config.get("Env") or ())
    return ImageDefaults(tuple(config.get("Cmd") or ()), tuple(config.get("Entrypoint") or ()), env)


@contextmanager
def open_sandbox(
    home: Home,
    run_id: str,
    purpose: str,
    *,
    host: str | None = None,
    stand_ins: StandIns = "when-missing",
    lives: timedelta = LIVES,
) -> Iterator[Sandbox]:
    """Open a sandbox and remove everything in it at the end, whatever happens, even to this process.

    `stand_ins` says whether its images may be stand-ins.
    """
    token = secrets.token_hex(4)
    labels = {**run_labels(home.identity, run_id, purpose, lives=lives), LABEL_SANDBOX: token}
    client = connect(host)
    sandbox = Sandbox(client, home, host, labels, f"headway-{home.identity}-{purpose}-{token}", stand_ins=stand_ins)
    with engine_errors(), guarded({LABEL_SANDBOX: token}, host=host):
        try:
            yield sandbox
        except APIError as error:
            if sandbox.was_emptied():
                raise Interrupted(f"{sandbox.name} was removed while it was needed") from error
            raise
        finally:
            remove_labelled(client, {LABEL_SANDBOX: token})


@contextmanager
def engine_errors() -> Iterator[None]:
    """Turn the engine's errors into Headway's, sorted by what the caller does next."""
    try:
        yield
    except APIError as error:
        reason = str(error.explanation or error)
        if "address pool" in reason:  # all networks are taken; the engine has no code for it
            raise Transient(f"the Docker engine: {reason}") from error
        raise refused("the Docker engine refused", reason) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise engine_gone(error) from error
    except TimeoutError as error:  # a program in a container, which says which one
        raise Rejected(str(error)) from error

"""The connection to a Docker engine."""

import contextlib
import os
import threading

import docker
import requests
import urllib3
from docker.errors import DockerException

from delivery.docker.engine.engine_state import PATIENCE_SECONDS, await_engine, is_denied
from delivery.errors import Misconfigured, PlaceGone
from delivery.home import Home
from delivery.programs.tunnel import Tunnel

PING_SECONDS = 5
_FAULTS = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError)
_CONNECTED: dict[str | None, docker.DockerClient] = {}
_CLIENTS: dict[tuple[str | None, int, float], docker.DockerClient] = {}
_GATES: dict[tuple[str | None, int, float], threading.Lock] = {}
_LOCK = threading.Lock()
_TUNNELS: dict[str, Tunnel] = {}
_TUNNELS_LOCK = threading.Lock()


def connect(
    host: str | None = None, *, timeout_seconds: int = 60, patience_seconds: float = PATIENCE_SECONDS
) -> docker.DockerClient:
    """Return a client of the engine at `host`, or of the one DOCKER_HOST or the default socket names.

    One that is being restarted is waited for. Raises PlaceGone when it does not come back, or does not answer on a
    machine whose platform is up; Misconfigured when there is none, or this user may not use it.
    """
    key = (host, timeout_seconds, patience_seconds)
    with _LOCK:
        gate = _GATES.setdefault(key, threading.Lock())
    with gate:  # of two threads that come first one opens it: a client that nobody keeps leaves its sockets open
        if key not in _CLIENTS:
            _CLIENTS[key] = _connected(host, timeout_seconds, patience_seconds)
        return _CLIENTS[key]


def disconnect() -> None:
    """Close every client of this process, and every way to another machine.

    Who has a client of this machine's engine still opens another connection with it.
    """
    with _LOCK:
        clients = [_CLIENTS.pop(key) for key in list(_CLIENTS)]
        _CONNECTED.clear()
    with _TUNNELS_LOCK:
        tunnels = [_TUNNELS.pop(host) for host in list(_TUNNELS)]
    for client in clients:
        client.close()
    for tunnel in tunnels:
        tunnel.close()


def _connected(host: str | None, timeout_seconds: int, patience_seconds: float) -> docker.DockerClient:
    try:
        client = _open(host, timeout_seconds)
    except (DockerException, requests.RequestException) as error:
        found = await_engine(lambda: _try(host, timeout_seconds), host, patience_seconds)
        if found is None:
            raise _no_engine(host, error) from error
        client = found
    _CONNECTED[host] = client
    return client


def engines_answer() -> bool:
    """Whether every engine that this process has spoken to answers now."""
    return all(_answers(client) for client in _CONNECTED.copy().values())


def engine_gone(error: BaseException) -> PlaceGone:
    """Return the error to raise when the engine stopped answering in the middle of a step."""
    next_step = "start it again (on this machine: headway up), then deliver again"
    return PlaceGone(f"the Docker engine stopped answering ({error})\n  next: {next_step}")


def _open(host: str | None, timeout_seconds: int) -> docker.DockerClient:
    address = _tunnel(host).address if host and host.startswith("ssh://") else host
    client = (
        docker.DockerClient(base_url=address, timeout=timeout_seconds)
        if address
        else docker.from_env(timeout=timeout_seconds)
    )
    try:
        client.ping()
    except BaseException:
        client.close()
        raise
    return client


def _tunnel(host: str) -> Tunnel:
    """Return the process's way to a machine by ssh, one for all of its clients."""
    with _TUNNELS_LOCK:
        if host not in _TUNNELS:
            _TUNNELS[host] = Tunnel(host).open()
        return _TUNNELS[host]


def _try(host: str | None, timeout_seconds: int) -> docker.DockerClient | None:
    with contextlib.suppress(DockerException, requests.RequestException):
        return _open(host, timeout_seconds)
    return None


def _no_engine(host: str | None, error: Exception) -> Misconfigured | PlaceGone:
    """Return what is wrong: on a machine whose platform is up an engine is meant to be there, and comes back."""
    if not host and not os.environ.get("DOCKER_HOST") and Home.current().up.exists() and not is_denied():
        return PlaceGone(f"the Docker engine does not answer ({error})\n  next: headway up starts it again")
    return Misconfigured(
        f"Docker at {host or 'the default address'}",
        "no engine answers",
        next_step="start Docker, or point DOCKER_HOST at a machine that runs it; `headway doctor` says more",
    )


def _answers(client: docker.DockerClient) -> bool:
    try:
        return bool(client.api.get(f"{client.api.base_url}/_ping", timeout=PING_SECONDS).ok)
    except _FAULTS:
        return False

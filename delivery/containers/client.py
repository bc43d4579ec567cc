"""The connection to a Docker engine."""

from functools import cache

import docker
import requests
from docker.errors import DockerException

from delivery.errors import Misconfigured, Transient


@cache
def connect(host: str | None = None, *, timeout_seconds: int = 60) -> docker.DockerClient:
    """Return a client of the engine at `host`, or of the one DOCKER_HOST or the default socket names.

    Raises Misconfigured when none answers.
    """
    try:
        client = (
            docker.DockerClient(base_url=host, timeout=timeout_seconds)
            if host
            else docker.from_env(timeout=timeout_seconds)
        )
        client.ping()
    except (DockerException, requests.RequestException) as error:
        raise Misconfigured(
            f"Docker at {host or 'the default address'}",
            "no engine answers",
            next_step="start Docker, or point DOCKER_HOST at a machine that runs it; `headway doctor` says more",
        ) from error
    return client


def engine_gone(error: BaseException) -> Transient:
    """Return the error to raise when the engine stopped answering in the middle of a step."""
    return Transient(f"the Docker engine stopped answering ({error}); `headway up` starts it again, then deliver again")

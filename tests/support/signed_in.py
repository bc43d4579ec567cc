"""Prefect's API, asked as a program that is no client of Prefect's: with the platform's key and a CSRF token."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx

from delivery.platform.orchestrator import Orchestrator


@contextmanager
def signed_in(prefect: Orchestrator) -> Iterator[httpx.Client]:
    """Yield a client of the platform's own server; paths are relative to its API."""
    user, _, password = prefect.key.get_secret_value().partition(":")
    with httpx.Client(base_url=prefect.api, auth=(user, password), timeout=10, trust_env=False) as client:
        name = uuid4().hex
        token = client.get("csrf-token", params={"client": name}).json()["token"]
        client.headers.update({"Prefect-Csrf-Client": name, "Prefect-Csrf-Token": token})
        yield client

"""Runs as steps start and stop them: each once, however often that is tried."""

from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Cancelling

from delivery.errors import Misconfigured, Transient
from tasks.step import log


def create_run(deployment: str, parameters: dict[str, Any], name: str, key: str, tags: list[str]) -> str:
    """Create a run of `deployment`, unless there is one of the same `key`; return its id.

    Raises Transient while the server does not answer, Misconfigured when there is no such deployment.
    """
    try:
        with get_client(sync_client=True) as client:
            return _create(client, deployment, parameters, name, key, tags)
    except (httpx.TransportError, PrefectHTTPStatusError) as error:
        raise Transient(f"the run was not started: {error}") from error


def _create(
    client: SyncPrefectClient, deployment: str, parameters: dict[str, Any], name: str, key: str, tags: list[str]
) -> str:
    try:
        found = client.read_deployment_by_name(deployment)
    except ObjectNotFound as error:
        raise Misconfigured(f"deployment {deployment}", "is not registered", next_step="headway up") from error
    made = client.create_flow_run_from_deployment(
        found.id, parameters=parameters, name=name, idempotency_key=key, tags=tags
    )
    return str(made.id)


def is_over(run: str) -> bool:
    """Whether a run has ended, or is not there any more."""
    state = _state(run)
    return state is None or state.is_final()


def has_failed(run: str) -> bool:
    """Whether a run has ended without what it was for; one that is not there any more counts as well ended."""
    state = _state(run)
    return state is not None and (state.is_failed() or state.is_crashed())


def came_to_nothing(run: str) -> bool:
    """Whether a run has failed, or somebody cancelled it."""
    state = _state(run)
    return state is not None and state.is_final() and not state.is_completed()


def cancel_run(run: str, why: str) -> None:
    """Ask a run to stop; whoever carries it cleans up. One that has ended stays as it is."""
    try:
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(UUID(run), Cancelling(message=why))
    except (httpx.HTTPError, ObjectNotFound, PrefectHTTPStatusError) as error:
        log().warning("run %s was not asked to stop: %s", run, error)


def _state(run: str) -> State[Any] | None:
    try:
        with get_client(sync_client=True) as client:
            return client.read_flow_run(UUID(run)).state
    except ObjectNotFound:
        return None

"""Ask a person through Prefect, so that the question survives restarts and retries."""

import asyncio
from typing import Literal, TypeVar

import prefect.runtime
from prefect import get_client
from prefect.context import FlowRunContext
from prefect.exceptions import FlowPauseTimeout, PrefectHTTPStatusError
from prefect.flow_runs import apause_flow_run, asuspend_flow_run
from prefect.input import RunInput
from prefect.input.run_input import keyset_from_base_key

T = TypeVar("T", bound=RunInput)

POLL_SECONDS = 2
GRACE_SECONDS = 60


async def ask(form: type[T], key: str, wait: Literal["pause", "suspend"], timeout_seconds: int) -> T:
    """Return the form as it was filled in; FlowPauseTimeout when nobody did in time.

    `pause` keeps the process; `suspend` ends it, and the flow starts again, with its results kept, on the answer.
    """
    await _forget_earlier_answer(key, "paused" if wait == "pause" else "suspended")
    if wait == "suspend":
        return await asuspend_flow_run(wait_for_input=form, timeout=timeout_seconds, key=key)
    return await _pause(form, key, timeout_seconds)


async def _pause(form: type[T], key: str, timeout_seconds: int) -> T:
    """Wait in this process. The server fails a run whose pause is over, in words of its own: be there before it."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return await apause_flow_run(
                wait_for_input=form, timeout=timeout_seconds + GRACE_SECONDS, poll_interval=POLL_SECONDS, key=key
            )
    except TimeoutError as error:
        async with get_client() as client:
            run = await client.read_flow_run(prefect.runtime.flow_run.id)
        if run.state and run.state.is_running():
            return await form.aload(keyset_from_base_key(f"paused-{key}"))  # answered in the last moment
        raise FlowPauseTimeout(f"nobody answered within {timeout_seconds} s") from error


async def _forget_earlier_answer(key: str, prefix: str) -> None:
    """Remove the answer of an earlier attempt of this run: Prefect refuses to ask again while it is there.

    A retry resets which pauses were passed but keeps their inputs, and the next question fails with HTTP 409
    (PrefectHQ/prefect#12279). A pause that was just passed keeps its answer.
    """
    context = FlowRunContext.get()
    assert context is not None
    async with get_client() as client:
        run = await client.read_flow_run(prefect.runtime.flow_run.id)
        if key in (run.empirical_policy.pause_keys or set()):
            return
        for part in ("schema", "description", "response"):
            try:
                await client.delete_flow_run_input(flow_run_id=run.id, key=f"{prefix}-{key}-{part}")
            except PrefectHTTPStatusError as error:
                if error.response.status_code != 404:
                    raise

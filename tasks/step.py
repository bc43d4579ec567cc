"""How a step of a delivery becomes a Prefect task: the one place that knows retries, timeouts and records."""

import asyncio
import contextvars
import functools
import inspect
import logging
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, NoReturn, ParamSpec, Protocol, TypeVar, cast, overload
from uuid import UUID

import httpx
from prefect import task
from prefect.cache_policies import INPUTS, NO_CACHE, TASK_SOURCE, CachePolicy
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger
from prefect.runtime import flow_run, task_run
from prefect.tasks import exponential_backoff

from blocks.artifact_store import current_store
from delivery import opening
from delivery.errors import HeadwayError, PlaceGone, Transient
from delivery.full_disk import storage_trouble
from delivery.report.record import StepTime
from delivery.waiting import until_async

P = ParamSpec("P")
R = TypeVar("R")
SERVER_SECONDS = 90.0
PLACE_SECONDS = 25.0  # before each of the attempts; the shortest step has 30 s
POLL_SECONDS = 0.5
DAY_SECONDS = 86400  # of a step around what has limits of its own, which end it before that and say why

# asyncio's own pool has a handful of threads on a small machine; how many steps run at once is the application's word.
_THREADS = ThreadPoolExecutor(max_workers=256, thread_name_prefix="step")
_run: ContextVar[str | None] = ContextVar("headway_run", default=None)


def _delivery(_context: object, _parameters: dict[str, Any]) -> str:
    """Return which delivery a result is kept for: a phase that failed is another run when it is carried again."""
    return _run.get() or str(flow_run.id)


_OF_THE_DELIVERY = CachePolicy.from_cache_key_fn(_delivery)


class Step(Protocol):
    """What `step` makes of a function: the same parameters, to be awaited."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Callable[P, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Callable[P, Coroutine[Any, Any, R]]: ...


def step(
    *, timeout_seconds: float, retries: int = 3, backoff_seconds: float = 2, name: str | None = None, keep: bool = True
) -> Step:
    """Make a function a step: an asynchronous Prefect task that retries only what may heal by itself.

    A blocking function runs in a thread, so steps run side by side. The result is kept, so a resumed run does not
    repeat the step, unless `keep` is off: what was true of the world then need not be true now. `name` may use the
    function's parameters, as Prefect's `task_run_name` does.
    """

    def wrap(function: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
        @functools.wraps(function)
        async def timed(*args: Any, **kwargs: Any) -> Any:
            started = datetime.now(UTC)
            try:
                if inspect.iscoroutinefunction(function):
                    result = await function(*args, **kwargs)
                else:
                    result = await _in_thread(function, *args, **kwargs)
            except BaseException as error:
                _note(started, "failed" if isinstance(error, Exception) else "interrupted")
                if isinstance(error, httpx.ConnectError):
                    await _outlast(error)
                if isinstance(error, PlaceGone):
                    await _outlast_place()
                if trouble := storage_trouble(error):
                    raise trouble from error
                raise
            _note(started, "done")
            return result

        return task(
            retries=retries,
            retry_delay_seconds=exponential_backoff(backoff_seconds),
            retry_jitter_factor=0.3,
            retry_condition_fn=_only_transient,
            timeout_seconds=timeout_seconds,
            task_run_name=name or function.__name__.replace("_", " "),
            persist_result=keep,
            cache_policy=INPUTS + TASK_SOURCE + _OF_THE_DELIVERY if keep else NO_CACHE,
        )(timed)

    return cast(Step, wrap)


@contextmanager
def recorded(run: str) -> Iterator[None]:
    """Keep the times of all steps inside, under the run's name in the artifact store."""
    token = _run.set(run)
    try:
        yield
    finally:
        _run.reset(token)


def is_tried_again(error: BaseException) -> bool:
    """Whether the step that `error` ends now has another attempt."""
    context = TaskRunContext.get()
    return isinstance(error, Transient) and context is not None and context.task_run.run_count <= context.task.retries


def log() -> logging.Logger | logging.LoggerAdapter[Any]:
    """Return the run's logger, or a plain one outside of a run."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("headway")


def show(markdown: str, key: str, description: str) -> None:
    """Show `markdown` beside the run in the UI."""
    # Prefect's create_markdown_artifact returns a coroutine here, which nobody awaits: it takes a step's thread for
    # the event loop.
    artifact = ArtifactCreate(
        type="markdown",
        key=key,
        description=description,
        data=markdown,
        task_run_id=UUID(task_run.id),
        flow_run_id=UUID(flow_run.id),
    )
    with get_client(sync_client=True) as client:
        client.create_artifact(artifact)


async def _in_thread(function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
    call = functools.partial(contextvars.copy_context().run, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_THREADS, call)


async def _outlast(error: httpx.ConnectError) -> NoReturn:
    """Wait for the Prefect server and raise Transient: it is being started again.

    A client that had an answer before asks again by itself; one that a step had just made does not.
    """
    async with get_client() as client:

        async def is_back() -> bool:
            return not await client.api_healthcheck()

        await until_async(is_back, seconds=SERVER_SECONDS, every=POLL_SECONDS)
    raise Transient(f"the Prefect server did not answer: {error}") from error


async def _outlast_place() -> None:
    """Return when what runs the application answers again: tried before, the step would only use up its attempts."""
    await until_async(lambda: _in_thread(opening.places_answer), seconds=PLACE_SECONDS, every=POLL_SECONDS)


def _only_transient(_task: object, _task_run: object, state: State[Any]) -> bool:
    error = state.data if isinstance(state.data, BaseException) else getattr(state.data, "result", None)
    return isinstance(error, Transient)


def _note(started: datetime, outcome: str) -> None:
    run = _run.get()
    if run is None:
        return
    step_time = StepTime.model_validate(
        {
            "name": task_run.name or "step",
            "phase": flow_run.flow_name or "",
            "started": started,
            "ended": datetime.now(UTC),
            "outcome": outcome,
            "attempts": task_run.run_count or 1,
        }
    )
    moment = started.strftime("%Y%m%dT%H%M%S.%fZ")
    try:
        current_store().put(f"runs/{run}/steps/{moment}-{task_run.id}.json", step_time.model_dump_json().encode())
    except (OSError, HeadwayError) as error:  # a lost time must not cost a delivery
        log().warning("the time of this step was not kept: %s", error)

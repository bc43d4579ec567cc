"""Waiting for what comes by itself, with a limit: the loops are tenacity's."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_result, stop_after_delay, wait_fixed

T = TypeVar("T")


def until(
    condition: Callable[[], T], *, seconds: float, every: float, unless: Callable[[], object] = lambda: False
) -> T:
    """Return what `condition` returns as soon as that is true, looking again `every` so many seconds.

    After `seconds`, or when `unless` is true of something that cannot come any more, what it returned last is
    returned, which is false. It is looked at least once, and errors are passed on.
    """
    return Retrying(**_settings(seconds, every, unless))(condition)


async def until_async(condition: Callable[[], Awaitable[T]], *, seconds: float, every: float) -> T:
    """Return what `until` returns, while other steps go on."""

    async def look() -> T:  # tenacity awaits only what is written as a coroutine, and no lambda that returns one
        return await condition()

    return await AsyncRetrying(**_settings(seconds, every, lambda: False))(look)


def _settings(seconds: float, every: float, unless: Callable[[], object]) -> dict[str, Any]:
    return {
        "retry": retry_if_result(lambda found: not found and not unless()),
        "stop": stop_after_delay(seconds),
        "wait": wait_fixed(every),
        "retry_error_callback": _last,
    }


def _last(state: RetryCallState) -> Any:
    assert state.outcome
    return state.outcome.result()

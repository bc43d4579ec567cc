"""How many steps run at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar, cast
from weakref import WeakValueDictionary

from delivery.errors import HeadwayError, Interrupted, joined

R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
_GATES: "WeakValueDictionary[str, asyncio.Semaphore]" = WeakValueDictionary()


def at_most(count: int, *, among: str | None = None) -> Callable[[Iterable[Awaitable[R]]], Awaitable[list[R]]]:
    """Return a `gather` under which no more than `count` steps run at once, over all its calls.

    With `among` the steps of every such `gather` are counted together. When one fails, the others are waited for
    first: what they left behind is known, nothing goes on unwatched, and all failures are told.
    """
    gate = asyncio.Semaphore(count)
    gate = _GATES.setdefault(among, gate) if among else gate

    async def one(step: Awaitable[R]) -> R:
        async with gate:
            return await step

    async def together(steps: Iterable[Awaitable[R]]) -> list[R]:
        done = await asyncio.gather(*(one(step) for step in steps), return_exceptions=True)
        raise_failures([result for result in done if isinstance(result, BaseException)])
        return [result for result in done if not isinstance(result, BaseException)]

    return together


async def both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Return both results; when one fails the other is waited for, and what both have to say is raised as one."""
    one, other = await asyncio.gather(first, second, return_exceptions=True)
    raise_failures([result for result in (one, other) if isinstance(result, BaseException)])
    return cast(A, one), cast(B, other)


async def begun(step: Awaitable[A], *, wait_seconds: float) -> Awaitable[A]:
    """Begin a step and return it when it ended, or after `wait_seconds`; raise what it raised until then."""
    task = asyncio.ensure_future(step)
    try:
        await asyncio.wait([task], timeout=wait_seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.done():
        task.result()
    return task


async def one_by_one(steps: Iterable[Awaitable[R]]) -> tuple[list[R], list[Exception]]:
    """Return the results of the steps that succeeded and the errors of the others: none keeps the next from running."""
    results: list[R] = []
    failures: list[Exception] = []
    for step in steps:
        try:
            results.append(await step)
        except Exception as error:
            failures.append(error)
    return results, failures


def raise_failures(failures: Sequence[BaseException]) -> None:
    """Raise what all failures say as one, or return when there are none."""
    # An error that is not ours, or an end that was asked for, says more than a gate that said no.
    apart = [one for one in failures if not isinstance(one, HeadwayError) or isinstance(one, Interrupted)]
    if apart or len(failures) == 1:
        raise [*apart, *failures][0]
    if failures:
        raise joined([one for one in failures if isinstance(one, HeadwayError)])

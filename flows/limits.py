"""How many steps run at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar, cast

from delivery.errors import HeadwayError, Rejected

R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")


def at_most(count: int) -> Callable[[Iterable[Awaitable[R]]], Awaitable[list[R]]]:
    """Return a `gather` under which no more than `count` steps run at once, over all its calls.

    When one fails, the others are waited for first: what they left behind is known, and nothing goes on unwatched.
    """
    gate = asyncio.Semaphore(count)

    async def one(step: Awaitable[R]) -> R:
        async with gate:
            return await step

    async def together(steps: Iterable[Awaitable[R]]) -> list[R]:
        done = await asyncio.gather(*(one(step) for step in steps), return_exceptions=True)
        for result in done:
            if isinstance(result, BaseException):
                raise result
        return [result for result in done if not isinstance(result, BaseException)]

    return together


async def both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Return both results; when one fails the other is waited for, and what both have to say is raised as one."""
    one, other = await asyncio.gather(first, second, return_exceptions=True)
    failures = [result for result in (one, other) if isinstance(result, BaseException)]
    if len(failures) == 2 and all(type(failure) is Rejected for failure in failures):
        raise Rejected("\n".join(str(failure) for failure in failures))
    if failures:
        # An error that is not ours says more about what is wrong than a gate that said no.
        raise next((failure for failure in failures if not isinstance(failure, HeadwayError)), failures[0])
    return cast(A, one), cast(B, other)

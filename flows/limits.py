"""How many steps run at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

R = TypeVar("R")


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

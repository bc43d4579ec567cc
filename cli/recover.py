"""`headway recover`: end what dead runs began, now."""

import asyncio

from cli.output import say
from cli.session import running


def recover() -> None:
    """Finish or withdraw what dead runs began and remove what has no owner, as the platform does by itself."""
    running()
    from flows.recover import recover as flow

    done = asyncio.run(flow())
    for line in done:
        say(line)
    if not done:
        say("nothing was left half done")

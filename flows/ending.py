"""How a run ends: every error of ours becomes a state that says what happened."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from delivery.errors import HeadwayError, Interrupted, Misconfigured, NotNeeded, ReleaseUnhealthy
from delivery.full_disk import in_words, storage_trouble

P = ParamSpec("P")
R = TypeVar("R")

# The state's name is what people see in the UI, and what the command line's exit code is made from.
EXIT_CODES = {
    "Completed": 0,
    "Unchanged": 0,
    "Rejected": 1,
    "Failed": 1,
    "Crashed": 1,
    "Misconfigured": 2,
    "Withdrawn": 3,
    "Cancelled": 130,
}


def state_name(error: BaseException) -> str:
    """Return the name of the state a run ends in because of `error`."""
    if isinstance(error, Misconfigured):
        return "Misconfigured"
    if isinstance(error, ReleaseUnhealthy):
        return "Withdrawn"
    return "Rejected" if isinstance(error, HeadwayError) else "Failed"


def ends_in_words(run: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R | State[Any]]]:
    """Make a run that raises one of our errors, or finds its disk full, end in a failed state that says so.

    One that was not needed ends Unchanged, with the reason.
    """

    @functools.wraps(run)
    async def ended(*args: P.args, **kwargs: P.kwargs) -> R | State[Any]:
        try:
            return await run(*args, **kwargs)
        except Interrupted:
            raise
        except NotNeeded as error:
            return Completed(name="Unchanged", message=str(error))
        except HeadwayError as error:
            return Failed(name=state_name(error), message=in_words(error))
        except Exception as error:
            if trouble := storage_trouble(error):
                return Failed(name=state_name(trouble), message=str(trouble))
            raise

    return ended

"""Whether what environments stand on is as the last delivery left it."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from delivery.releases.infrastructure import Drift
from flows.limits import one_by_one, raise_failures
from tasks.infrastructure import find_drift
from tasks.known import known_environments


@flow(name="drift", persist_result=False)
async def drift() -> list[Drift] | State[Any]:
    """Compare every environment that has a stack with it; runs every night, changes nothing.

    Ends Drifted when somebody else changed something, or it cannot be told.
    """
    environments = await known_environments()
    found, failures = await one_by_one(find_drift(one, str(flow_run.id)) for one in environments)
    raise_failures(failures)
    seen = [one for one in found if one]
    if bad := [one.describe() for one in seen if not one.is_well]:
        return Completed(name="Drifted", message="\n".join(bad))
    return seen

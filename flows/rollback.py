"""Put an earlier release live again, by the same way it went live the first time."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from delivery.releases.release import Release
from delivery.releases.run_names import app_of, rollback_name
from flows.ending import ends_in_words
from flows.holding import holding
from flows.release import blue_green
from flows.report import reported
from tasks.environment import remember
from tasks.rollback import call_run, choose_release


def _name() -> str:
    """Return what the run is called: what it goes back to is in the name once that was chosen."""
    named = flow_run.parameters
    return flow_run.name if app_of(flow_run.name) else rollback_name(named["app"], named["environment"])


@flow(name="rollback", flow_run_name=_name, persist_result=True)
@ends_in_words
async def rollback(
    app: str,
    environment: str = "production",
    release: str | None = None,
    override: bool = False,
    steal: str | None = None,
) -> Release | State[Any]:
    """Put `release` of `app` (the one before the live one, when left out) live in `environment`.

    The database is left as it is. A release that was withdrawn there and never came through its watch is refused
    unless `override` is on. When the run `steal` holds the environment, it is taken from it.
    """
    async with reported(str(flow_run.id), environment, "rollback"):
        order, earlier = await choose_release(app, environment, release, override, str(flow_run.id), steal)
        await call_run(str(flow_run.id), order.name)
        async with holding(order, environment, f"rollback to {earlier.fingerprint}") as hold:
            await blue_green(order, None, earlier, environment, hold.sequence)
            await remember(order, environment, earlier, "rolled-back")
    return earlier

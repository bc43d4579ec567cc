"""Put an earlier release live again, by the same way it went live the first time."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from delivery.releases.release import Release
from delivery.releases.run_names import app_of, rollback_name
from flows.ending import ends_in_words
from flows.holding import holding
from flows.hooks import hooked
from flows.parameters import (
    AlthoughFrozen,
    AppName,
    AwayFrom,
    Backup,
    Down,
    EnvironmentName,
    Fingerprint,
    Override,
    RunId,
)
from flows.release import blue_green
from flows.report import reported
from flows.reverting import brought_back, taken_back
from tasks.boundary import check_way_back, choose_backup
from tasks.environment import remember
from tasks.marks import check_may_go_live
from tasks.rollback import call_run, check_still_live, choose_release


def _name() -> str:
    """Return what the run is called: what it goes back to is in the name once that was chosen."""
    named = flow_run.parameters
    return flow_run.name if app_of(flow_run.name) else rollback_name(named["app"], named["environment"])


@flow(name="rollback", flow_run_name=_name, persist_result=True)
@ends_in_words
async def rollback(
    app: AppName,
    environment: EnvironmentName = "production",
    release: Fingerprint = None,
    override: Override = False,
    down: Down = False,
    backup: Backup = None,
    steal: RunId = None,
    although_frozen: AlthoughFrozen = False,
    away_from: AwayFrom = None,
) -> Release | State[Any]:
    """Put `release` of `app` (the one before the live one, when left out) live in `environment`.

    The database is left as it is, but with `down`, which takes back the migrations in between where that was rehearsed,
    and with `backup`, which is restored and put in its place; the one before is kept beside it.
    A release that was withdrawn there and never came through its watch, or whose code does not run on the schema, is
    refused before anything is touched, unless `override` is on. What the run `steal` holds is taken from it.
    A frozen environment is left alone unless it is said: `although_frozen`; a release that was marked bad stays away.
    Where another release than `away_from` is live, before or once the environment is held, it ends Unchanged.
    """
    async with reported(str(flow_run.id), environment, "rollback"):
        order, earlier = await choose_release(
            app, environment, release, override, str(flow_run.id), steal, although_frozen, away_from
        )
        await call_run(str(flow_run.id), order.name)
        backup = await choose_backup(order, environment, backup) if backup else None
        boundary = await check_way_back(order, environment, earlier, override=override, down=down, backup=backup)
        async with holding(order, environment, f"rollback to {earlier.fingerprint}") as hold:
            await check_may_go_live(order, environment, earlier, although_frozen)
            await check_still_live(order, environment, earlier, away_from)
            async with hooked(order, environment, earlier, hold.sequence):
                async with (
                    taken_back(order, environment, boundary if down else None, hold.sequence),
                    brought_back(order, environment, backup, hold.sequence),
                ):
                    await blue_green(order, None, earlier, environment, hold.sequence)
                await remember(order, environment, earlier, "rolled-back")
    return earlier

"""Phase 7: blue-green into an environment; leaves it as it was when anything goes wrong."""

from prefect import flow

from delivery.errors import ReleaseUnhealthy
from delivery.order import Built, Order, environment_of
from delivery.release import Release
from delivery.target import Observation
from flows.holding import holding
from flows.verify_backup import verify_backup
from tasks.database import migrate_database, start_database
from tasks.place import remember, retire_previous, shift_release, stage_release, watch_release, withdraw_release
from tasks.tests import run_acceptance


@flow(name="release", flow_run_name="{release.fingerprint} → {environment}", persist_result=True)
async def put_live(order: Order, built: Built, release: Release, environment: str) -> list[Observation]:
    """Put `release` live in `environment` and return what was seen of its traffic.

    Raises ReleaseUnhealthy when live traffic was at risk, Rejected when a gate said no before. Either way the
    environment is left as it was found.
    """
    policy = environment_of(order.app, environment)
    seen: list[Observation] = []
    async with holding(order, environment, f"release {release.fingerprint}") as hold:
        had_data = await start_database(order, environment)
        if had_data and policy.prove_backup:
            await verify_backup(order, environment)
        await migrate_database(order, environment, release, hold.sequence)
        try:
            await stage_release(order, environment, release, hold.sequence)
            for shift in policy.shift.steps:
                await shift_release(order, environment, release, shift.percent, hold.sequence)
                seen += await watch_release(order, environment, release, shift.hold_seconds, hold.sequence)
            for suite in policy.acceptance:
                await run_acceptance(order, built, environment, suite)
            seen += await watch_release(order, environment, release, policy.watch.seconds, hold.sequence)
        except BaseException:  # a cancelled run must not leave traffic half shifted either
            await withdraw_release(order, environment, release, hold.sequence)
            raise
        await retire_previous(order, environment, release, hold.sequence)
        await remember(order, environment, release)
        if policy.prove_backup and not had_data:
            await verify_backup(order, environment)
    return seen

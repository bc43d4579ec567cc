"""Phase 7: blue-green into an environment; leaves it as it was when anything goes wrong."""

from contextlib import suppress

from prefect import flow

from delivery.errors import Rejected, ReleaseUnhealthy
from delivery.ports.slots import TargetState
from delivery.releases.approval import Decision
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.releases.order import Built, Order
from delivery.releases.release import Release
from delivery.spec.app import environment_of
from flows.checks import accept, check
from flows.holding import holding
from flows.hooks import hooked
from flows.verify_backup import verify_backup
from tasks.approval import check_still_approved
from tasks.backups import take_backup
from tasks.database import start_database
from tasks.environment import (
    confirm_release,
    keep_previous,
    remember,
    retire_previous,
    shift_release,
    stage_release,
    watch_release,
    withdraw_release,
)
from tasks.infrastructure import apply_infrastructure
from tasks.marks import check_may_go_live
from tasks.migration import contracts_to_run, end_migration, migrate_database


@flow(
    name="release", flow_run_name="release {release.app} {release.revision.short} → {environment}", persist_result=True
)
async def put_live(
    order: Order,
    built: Built,
    release: Release,
    environment: str,
    decision: Decision | None = None,
    plan: InfrastructurePlan | None = None,
) -> TargetState:
    """Put `release` live in `environment` and return what runs there then; `decision` is who let it in.

    What `plan` changes of its infrastructure is done before anything else, and stays when the release does not.

    Raises ReleaseUnhealthy when live traffic was at risk, Rejected when a gate said no before. Either way the
    environment is left as it was found.
    """
    async with holding(order, environment, f"release {release.fingerprint}") as hold:
        await check_may_go_live(order, environment, release)
        if (
            decision and not decision.unattended
        ):  # somebody else may have changed the environment while this run waited for it
            await check_still_approved(order, release, decision, plan)
        async with hooked(order, environment, release, hold.sequence):
            if plan and plan.changes_anything:
                await apply_infrastructure(order, environment, plan, decision, hold.sequence)
            migrates = order.app.database is not None
            contracted = await _prepare_database(order, environment, release, hold.sequence) if migrates else ()
            state = await blue_green(order, built, release, environment, hold.sequence)
            await remember(order, environment, release, contracted=contracted)
    return state


async def _prepare_database(order: Order, environment: str, release: Release, sequence: int) -> tuple[str, ...]:
    """Bring the environment's database up to date, its backup proven where the policy asks; return what shrank it."""
    database, policy = order.app.database, environment_of(order.app, environment)
    had_data = await start_database(order, environment, release, sequence)
    migrates = database is not None and database.migrate is not None
    if had_data and (migrates or policy.prove_backup):
        await back_up_before(order, environment)
    contracted = await migrate(order, environment, release, sequence, had_data=had_data) if migrates else ()
    if policy.prove_backup and not had_data:  # of the first schema: before anybody depends on it
        await verify_backup(order, environment, release)
    return contracted


async def back_up_before(order: Order, environment: str) -> None:
    """Take a backup as the policy asks before a migration: one that is proven, one that is not, or none."""
    policy = environment_of(order.app, environment)
    if policy.prove_backup:
        await verify_backup(order, environment)
    elif policy.backups.before_migration:
        await take_backup(order.app, environment, order.run, "before a migration")


async def migrate(
    order: Order, environment: str, release: Release, sequence: int, *, had_data: bool
) -> tuple[str, ...]:
    """Migrate, and return what shrank the schema: Rejected where that needs a backup that is proven.

    A migration that did not end by itself is ended before anybody else gets the environment.
    """
    contracts = frozenset[str]()
    if release.contracts:
        contracts = await contracts_to_run(order, environment, release, had_data)
    try:
        return await migrate_database(order, environment, release, contracts, sequence)
    except BaseException:  # of a cancelled run it goes on, and so it does when its lease was taken
        with suppress(Exception):  # why it was given up says more; the journal knows what recovery has to end
            await end_migration(order, environment, release, sequence)
        raise


async def blue_green(
    order: Order, built: Built | None, release: Release, environment: str, sequence: int
) -> TargetState:
    """Stage, shift in steps, check, watch and retire under lease `sequence`; withdraw on any error and raise it.

    Without `built`, when an earlier release comes back, no suites are run.
    """
    policy = environment_of(order.app, environment)
    try:
        await stage_release(order, environment, release, sequence)
        await check(order, built, release, environment, "before")
        for shift in policy.shift.steps:
            await shift_release(order, environment, release, shift.percent, sequence)
            await _watch(order, environment, release, shift.hold_seconds, sequence)
            await check(order, built, release, environment, "between" if shift.percent < 100 else "after")
        await accept(order, built, environment)
        await _watch(order, environment, release, policy.watch.seconds, sequence)
        await confirm_release(order, environment, release, sequence)
    except BaseException as error:  # a cancelled run must not leave traffic half shifted either
        await _withdraw(order, environment, release, sequence, error)
        raise
    end = keep_previous if policy.keep_warm_seconds else retire_previous
    return await end(order, environment, release, sequence)


async def _watch(order: Order, environment: str, release: Release, seconds: float, sequence: int) -> None:
    """Look at live traffic for as long as the plan says; where it says not at all, there is no such step."""
    if seconds > 0:
        await watch_release(order, environment, release, seconds, sequence)


async def _withdraw(order: Order, environment: str, release: Release, sequence: int, error: BaseException) -> None:
    """Withdraw because of `error`; when that fails, say both, unless `error` alone says what the run came to."""
    try:
        await withdraw_release(order, environment, release, sequence)
    except Exception as problem:
        lost_lease = isinstance(error, Rejected) and isinstance(problem, Rejected)
        if isinstance(error, Exception) and not lost_lease:
            left = (
                f"it is not withdrawn yet: {problem}\n  next: recovery tries again, headway status tells what is live"
            )
            raise ReleaseUnhealthy(f"{error}\n  {left}") from error

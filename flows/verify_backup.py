"""Phase 8: a backup is a backup when it was restored; it is that very backup which is kept."""

from prefect import flow
from prefect.runtime import flow_run

from delivery.errors import HeadwayError, Interrupted, Rejected
from delivery.ports.backups import BackupProof, KeptBackup, Reason
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.spec.app import App, environment_of
from flows.limits import one_by_one, raise_failures
from tasks.backup_ages import check_ages
from tasks.backups import drill_archive, prove_backup, take_backup
from tasks.known import KnownEnvironment, known_environments
from tasks.restores import in_time
from tasks.second_place import drill_second_place, send_copy

Taken = tuple[KeptBackup, BackupProof]


@flow(name="verify backup", flow_run_name="verify backup of {order.app.app} {environment}", persist_result=True)
async def verify_backup(order: Order, environment: str, release: Release | None = None) -> BackupProof | None:
    """Keep a backup of the environment's database, restore it elsewhere and compare; Rejected when it differs.

    The proof is evidence of `release`; without one, of what is live.
    """
    proven = await take_and_prove(order.app, environment, order.run, "before a migration", release)
    return proven[1] if proven else None


@flow(name="verify backups", persist_result=False)
async def verify_backups() -> list[BackupProof]:
    """Do so for every environment that has a database, drill what else there is, and look at ages; runs every night.

    One that fails hides none of the others, and nothing that fails keeps the rest of its environment from being tried.
    """
    environments = await known_environments()
    proofs, failures = await one_by_one(_night(one, str(flow_run.id)) for one in environments)
    raise_failures(failures)
    return [kept[1] for kept in proofs if kept]


async def back_up(app: App, environment: str, run: str, reason: Reason) -> Taken | None:
    """Return a backup that is kept now, and what its restore showed; none when there is no database.

    Where every change is archived, going back to a moment just now is tried as well, and where there is a second
    place, a copy is sent there; by schedule it is restored there too, and all ages are looked at. All that fails is
    raised as one, after the last.
    """
    taken, failures = await one_by_one([take_and_prove(app, environment, run, reason)])
    if taken == [None]:
        return None
    if environment_of(app, environment).backups.any_second:
        failures += (await one_by_one([_drill(app, environment, run)]))[1]
    failures += await _copy(app, environment, run, drills=reason == "by schedule")
    if reason == "by schedule":
        failures += (await one_by_one([check_ages(app, environment)]))[1]
    raise_failures([_in_words(one) for one in failures])
    return taken[0]


def _in_words(error: Exception) -> HeadwayError:
    """Return an error that hides none of the others; where it comes from is in the log of its step."""
    return error if isinstance(error, HeadwayError) else Rejected(f"{type(error).__name__}: {error}")


async def take_and_prove(
    app: App, environment: str, run: str, reason: Reason, release: Release | None = None
) -> Taken | None:
    """Return a backup that is kept now, and what its restore showed; none when there is no database."""
    kept = await take_backup(app, environment, run, reason)
    if kept is None:
        return None
    async with in_time(app, environment, run, "proof"):
        return kept, await prove_backup(app, environment, run, kept.name, release)


async def _copy(app: App, environment: str, run: str, *, drills: bool) -> list[Exception]:
    """Send a copy to the second place, where there is one; return what failed. What is there is tried in any case."""
    sent, failures = await one_by_one([send_copy(app, environment, run)])
    if drills and sent != [None]:
        failures += (await one_by_one([_drill_copy(app, environment, run)]))[1]
    return failures


async def _drill(app: App, environment: str, run: str) -> None:
    async with in_time(app, environment, run, "drill"):
        await drill_archive(app, environment, run)


async def _drill_copy(app: App, environment: str, run: str) -> None:
    async with in_time(app, environment, run, "drill in a second place"):
        await drill_second_place(app, environment, run)


async def _night(one: KnownEnvironment, run: str) -> Taken | None:
    """Return what a night showed of an environment; Rejected with all that failed, and what to do next."""
    try:
        return await back_up(one.app, one.environment, run, "by schedule")
    except Interrupted:
        raise
    except HeadwayError as error:
        where = f"--app {one.app.app} --environment {one.environment}"
        raise Rejected(
            f"{one.environment} of {one.app.app}: {error}\n"
            f"  next: headway backups {where} shows what is kept; headway backup {where} tries again"
        ) from error

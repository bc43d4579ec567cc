"""Choose the release an environment goes back to."""

from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.bad_releases import check_not_bad
from delivery.errors import Misconfigured, NotNeeded
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.spec.app import environment_of
from tasks.environment import open_target
from tasks.known import current_environments
from tasks.marks import bad_releases, check_not_frozen
from tasks.notes import note
from tasks.step import log, step


@step(timeout_seconds=120)
def choose_release(
    app: str,
    environment: str,
    asked: str | None,
    override: bool,
    run: str,
    steal: str | None = None,
    although_frozen: bool = False,
    away_from: str | None = None,
) -> tuple[Order, Release]:
    """Return the release to go back to, as an order with the file it was described by.

    From the run `steal` the lease is taken. Raises Misconfigured when there is none, when it is live already or was
    withdrawn here before it ever was live; NotNeeded when another release than `away_from` is live.
    """
    archive = Archive(current_store())
    known = {(one.app.app, one.environment): one.app for one in current_environments()}
    if (app, environment) not in known:
        allowed = ", ".join(f"{name} ({where})" for name, where in known)
        raise Misconfigured(f"{environment} of {app}", "nothing was released there", allowed or "none yet")
    with open_target(known[app, environment], environment) as target:
        live = target.observe().live
    if live is None or live.release is None:
        raise Misconfigured(f"{environment} of {app}", "nothing is live", next_step="headway run")
    _check_live(live.release, away_from)
    policy = environment_of(known[app, environment], environment)
    bad = bad_releases(app)
    found = archive.choose(
        app, environment, live.release, asked, within=policy.keep_releases, override=override, marked=bad
    )
    described, release = archive.release(app, found.fingerprint)
    note(run, "release", release.fingerprint, release)
    if failed := archive.last_failure(app, environment, release):
        words = "%s was live here, and was withdrawn when it came back at %s by run %s; it is tried again"
        log().warning(words, release.fingerprint, f"{failed.at:%Y-%m-%d %H:%M}", failed.run)
    log().info("going back from %s to %s", live.release.fingerprint, release.fingerprint)
    order = Order.of_released(described, release, environment, run=run, steal=steal)
    note(run, "order", environment, order)
    check_not_bad(bad, release)
    check_not_frozen(app, [environment], goes_back=True, although=although_frozen)
    return order, release


@step(timeout_seconds=120, name="see whether {environment} still has what it goes away from", keep=False)
def check_still_live(order: Order, environment: str, earlier: Release, away_from: str | None) -> None:
    """Return when that release is live, or none was named; NotNeeded else: a newer one came while the run waited.

    The earlier one is live where the run had got there before, and died.
    """
    if away_from is None:
        return
    with open_target(order.app, environment) as target:
        live = target.observe().live
    found = live.release if live else None
    if found is None or found.fingerprint != earlier.fingerprint:
        _check_live(found, away_from)


def _check_live(live: Release | None, away_from: str | None) -> None:
    if away_from and (live is None or live.fingerprint != away_from):
        found = f"release {live.fingerprint} is" if live else "nothing is"
        raise NotNeeded(f"{found} live by now, not release {away_from}: nothing is taken back")


async def call_run(run: str, name: str) -> None:
    """Give a run the name that says what it came to do; nothing depends on it."""
    try:
        async with get_client() as client:
            await client.update_flow_run(UUID(run), name=name)
    except (httpx.HTTPError, PrefectHTTPStatusError) as error:
        log().warning("the run keeps its name: %s", error)

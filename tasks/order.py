"""Take an order: find the revision, check its file, lay out its sources."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.runtime import flow_run

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.counting import counted
from delivery.errors import HeadwayError, Misconfigured
from delivery.home import Home
from delivery.ports.registry import check_reached
from delivery.programs import git
from delivery.programs.checkout import export
from delivery.programs.repositories import is_address, likely_name, open_project
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.releases.run_names import app_of, delivery_name
from delivery.spec.app import passed_before
from delivery.spec.configuration import FILE, app_name, configuration_hash, load_project
from delivery.spec.matrix import suites_to_run
from tasks.certificates import certificate_problems
from tasks.environment import load_settings, open_target
from tasks.marks import check_may_begin
from tasks.migration import due_contracts
from tasks.named_secrets import check_secrets
from tasks.notes import note
from tasks.repositories import access_to
from tasks.sources import laid_out, source_of
from tasks.step import log, step

SHORT = 7


@step(timeout_seconds=300, name="check out {revision}")
def take_order(project: str | None, revision: str, environment: str, run: str, steal: str | None = None) -> Order:
    """Return the order with the application's files of `revision` laid out for it alone.

    Without `project` the folder that was delivered last is taken. From the run `steal` leases are taken. Rejected
    where somebody froze an environment on its way, or marked bad what these files make.
    """
    repository, relative, here = open_project(_project(project), Home.current().cache, access_to)
    found = git.resolve(here, revision, relative)
    source = source_of(run)
    export(here, found.sha, relative, source)
    app = load_project(source)
    stops = (*passed_before(app, environment), environment)
    # A secret that is not there is told now, not after the tests; so is a registry out of reach.
    settings = [load_settings(app, stop) for stop in stops]
    check_secrets(app, settings, suites_to_run(app, stops))
    for one in settings:
        if one.registry:
            check_reached(app.environments[one.environment].target, one.registry, one.environment)
    for problem in [problem for stop in stops for problem in certificate_problems(app, stop)]:
        log().warning(problem)
    log().info("checked out %s (%s)", found.short, found.subject)
    _tell_skipped()
    order = Order(
        run=run,
        repository=repository,
        folder=relative,
        app=app,
        revision=found,
        environment=environment,
        steal=steal,
    )
    note(run, "order", environment, order)
    if is_address(repository):
        _call_run(order)
    check_may_begin(order)
    return order


async def lay_out_sources(order: Order) -> None:
    """Make sure the application's files are here: an earlier attempt of the run removed them, or was elsewhere."""
    if not source_of(order.run).exists():
        await lay_out_again(order)


@step(timeout_seconds=300, name="lay out sources", keep=False)
def lay_out_again(order: Order) -> None:
    """Lay the application's files out again."""
    laid_out(order)


@step(timeout_seconds=120, keep=False)
def find_unchanged(order: Order) -> Release | None:
    """Return the live release when it was made from the same files and runs well, else none."""
    with open_target(order.app, order.environment) as target:
        state = target.observe()
    live = state.live
    if live is None or live.release is None or not live.healthy or live.weight != 100:
        return None
    kept = Archive(current_store())
    if live.release.fingerprint not in kept.fingerprints(order.app.app):
        return None
    same_file = live.release.configuration_hash == configuration_hash(order.app, order.environment)
    if not same_file or not live.release.revision.has_files_of(order.revision):
        return None
    note(order.run, "state", order.environment, state)
    return live.release


def words_of_unchanged(order: Order, live: Release) -> str:
    """Say that there is nothing to deliver, and what may be done all the same: migrations whose time has come."""
    words = f"{live.fingerprint} is live already, made from the same files"
    if not (due := due_contracts(order, order.environment, live)):
        return words
    what = f"what shrinks the schema may run now: {counted(len(due), 'migration')} ({', '.join(sorted(due))})"
    where = f" --environment {order.environment} --app {order.app.app}"
    return f"{words}; {what}\n  next: headway database contract{where}"


def name_this_delivery() -> str:
    """Return what the run is called: the name it was given, or one that Prefect's words for it are replaced by."""
    return flow_run.name if app_of(flow_run.name) else name_of_delivery(flow_run.parameters)


def name_of_delivery(parameters: dict[str, Any]) -> str:
    """Return what a delivery with these parameters is called, as far as its folder tells; raises nothing."""
    revision, environment = str(parameters.get("revision", "HEAD")), str(parameters.get("environment", "production"))
    app = "?"
    try:
        project = _project(parameters.get("project"))
        if is_address(project):  # nothing is fetched for a name
            shown = revision[:SHORT] if re.fullmatch(r"[0-9a-f]{40,}", revision) else revision
            return delivery_name(likely_name(project), shown, environment)
        folder = Path(project).resolve()
        app = folder.name
        app = app_name(folder / FILE)
        repository = git.top_level(folder)
        revision = git.resolve(repository, revision, folder.relative_to(repository).as_posix()).short
    except (HeadwayError, OSError):
        pass  # the run itself says what is wrong, and ends so
    return delivery_name(app, revision, environment)


def _tell_skipped() -> None:
    """Say which commits were pushed before and are not delivered by themselves: whoever started the run knows."""
    if skipped := [tag for tag in flow_run.tags or () if tag.startswith("skips ")]:
        log().warning("in place of earlier pushes: it %s", ", ".join(skipped))


def _call_run(order: Order) -> None:
    """Give the run its name: of an address it was only guessed; nothing depends on it."""
    if (flow_run.name or "").startswith(order.name):
        return  # whoever started it knew, and says more
    with suppress(httpx.HTTPError, PrefectHTTPStatusError), get_client(sync_client=True) as client:
        client.update_flow_run(UUID(order.run), name=order.name)


def _project(asked: str | None) -> str:
    if asked:
        return asked
    remembered = Home.current().project
    if not remembered.exists():
        raise Misconfigured(
            "parameter project", "not given", "the folder with headway.yaml", "or deliver once with `headway run`"
        )
    return remembered.read_text().strip()

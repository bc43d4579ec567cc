"""Take an order: find the revision, check its file, lay out its sources."""

from pathlib import Path
from typing import Any

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.errors import HeadwayError, Misconfigured
from delivery.home import Home
from delivery.programs import git
from delivery.programs.checkout import export
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.releases.run_names import delivery_name
from delivery.spec.app import passed_before
from delivery.spec.configuration import FILE, app_name, configuration_hash, load_project
from delivery.spec.matrix import suites_to_run
from tasks.certificates import certificate_problems
from tasks.named_secrets import check_secrets
from tasks.notes import note
from tasks.place import load_place, open_target
from tasks.step import log, step


@step(timeout_seconds=300, name="check out {revision}")
def take_order(project: str | None, revision: str, environment: str, run: str, steal: str | None = None) -> Order:
    """Return the order with the application's files of `revision` laid out for it alone.

    Without `project` the folder that was delivered last is taken. From the run `steal` leases are taken.
    """
    folder = _project(project)
    repository = git.top_level(folder)
    relative = folder.relative_to(repository).as_posix()
    found = git.resolve(repository, revision, relative)
    source = Home.current().work / run / "source"
    export(repository, found.sha, relative, source)
    app = load_project(source)
    stops = (*passed_before(app, environment), environment)
    # A secret that is not there is told now, not after the tests.
    check_secrets(app, [load_place(app, stop) for stop in stops], suites_to_run(app, stops))
    for problem in [problem for stop in stops for problem in certificate_problems(app, stop)]:
        log().warning(problem)
    log().info("checked out %s (%s)", found.short, found.subject)
    order = Order(
        run=run,
        repository=str(repository),
        folder=relative,
        source=str(source),
        app=app,
        revision=found,
        environment=environment,
        steal=steal,
    )
    note(run, "order", environment, order)
    return order


async def lay_out_sources(order: Order) -> None:
    """Make sure the application's files lie where the order says: an earlier attempt of the run removed them."""
    if not order.path.exists():
        await lay_out_again(order)


@step(timeout_seconds=300, name="lay out sources", keep=False)
def lay_out_again(order: Order) -> None:
    """Lay the application's files out where the order says."""
    export(Path(order.repository), order.revision.sha, order.folder, order.path)


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


def name_of_delivery(parameters: dict[str, Any]) -> str:
    """Return what a delivery with these parameters is called, as far as its folder tells; raises nothing."""
    revision, environment = str(parameters.get("revision", "HEAD")), str(parameters.get("environment", "production"))
    app = "?"
    try:
        folder = _project(parameters.get("project"))
        app = folder.name
        app = app_name(folder / FILE)
        repository = git.top_level(folder)
        revision = git.resolve(repository, revision, folder.relative_to(repository).as_posix()).short
    except (HeadwayError, OSError):
        pass  # the run itself says what is wrong, and ends so
    return delivery_name(app, revision, environment)


def _project(asked: str | None) -> Path:
    if asked:
        return Path(asked).resolve()
    remembered = Home.current().project
    if not remembered.exists():
        raise Misconfigured(
            "parameter project", "not given", "the folder with headway.yaml", "or deliver once with `headway run`"
        )
    return Path(remembered.read_text().strip())

"""Run the cells of the test matrix and the acceptance suites."""

from pathlib import Path

from blocks.artifact_store import current_store
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.ports.cells import CellResult
from delivery.releases.order import Built, Order
from delivery.spec.matrix import Cell, cells_of
from delivery.spec.suites import MOST_SUITE_SECONDS
from delivery.testing.acceptance import accept
from delivery.testing.cell_run import CellRun
from delivery.testing.judging import CellFailed, check_tests
from tasks.environment import open_environment
from tasks.named_secrets import suite_secrets
from tasks.notes import note
from tasks.services import services_of
from tasks.sources import laid_out
from tasks.step import log, step

AROUND_SECONDS = 3600  # what is built, started and migrated around a suite, whose own time counts


@step(timeout_seconds=MOST_SUITE_SECONDS + AROUND_SECONDS, name="{cell.name}", keep=True)
def run_test_cell(order: Order, built: Built, cell: Cell) -> CellResult:
    """Run one cell in an environment of its own and keep its log and JUnit.

    Raises CellFailed, which carries the result, when it did not pass: so its row says as much. It is not tried again,
    and a run that starts again repeats it, where cells that passed are kept.
    """
    place = Home.current().work / order.run / "cells" / cell.slug
    result = services_of(order).testbeds.run_cell(
        order.app,
        cell,
        built.refs(),
        source=laid_out(order),
        run=order.run,
        log=place / "log.txt",
        report_dir=place / "junit",
        secrets=suite_secrets(order.app, cell.suite),
    )
    keep_files(order, cell.slug, place)
    note(order.run, "results", cell.slug, result)
    _remark(result)
    if result.outcome != "passed":
        log().error("%s %s; its last lines:\n%s", cell.name, result.outcome, result.last_lines)
        raise CellFailed(result)
    return result


async def result_of_cell(order: Order, built: Built, cell: Cell) -> CellResult:
    """Run one cell as a step; one that failed is a result like the others, so that all of them are told."""
    try:
        return await run_test_cell(order, built, cell)
    except CellFailed as failed:
        return failed.result


@step(timeout_seconds=60)
def check_results(order: Order, results: list[CellResult]) -> None:
    """Pass, or raise Rejected naming the failing cells and where their logs are."""
    try:
        check_tests(results)
    except Rejected as refusal:
        where = current_store().locate(f"runs/{order.run}/cells")
        raise Rejected(f"{refusal}\n  logs: {where}") from refusal


@step(timeout_seconds=MOST_SUITE_SECONDS + AROUND_SECONDS, name="accept {environment} by {suite}", keep=False)
def run_acceptance(order: Order, built: Built, environment: str, suite: str) -> CellResult:
    """Run a suite against the environment itself; Rejected when it does not pass."""
    place = Home.current().work / order.run / "acceptance" / environment / suite
    result = run_suite(order, built, environment, suite, place)
    keep_files(order, f"{environment}-{suite}", place)
    note(order.run, "acceptance", f"{environment} {suite}", result)
    _remark(result)
    check_tests([result])
    return result


def run_suite(
    order: Order, built: Built | None, environment: str, suite: str, place: Path, address: str | None = None
) -> CellResult:
    """Run all of a suite against the environment, at `address` or where its users come in; logs go to `place`."""
    secrets = suite_secrets(order.app, suite)
    with open_environment(order.app, environment) as opened:
        run = CellRun(
            order.app,
            cells_of(suite, order.app.suites[suite].model_copy(update={"shards": 1}))[0],
            opened.images(built.refs() if built else {}),
            order.run,
            place / "log.txt",
            place / "junit",
            secrets=secrets,
        )
        try:
            base_url = address or opened.target.address()
        except Misconfigured as error:
            return run.not_run(str(error))
        return accept(opened.jobs, run, base_url)


def _remark(result: CellResult) -> None:
    for remark in result.remarks:
        log().warning("%s: %s", result.cell.name, remark)


def keep_files(order: Order, name: str, place: Path) -> None:
    """Keep every file below `place` with the run, under `name`."""
    for path in sorted(place.rglob("*")):
        key = f"runs/{order.run}/cells/{name}/{path.relative_to(place).as_posix()}"
        if path.is_file():
            try:
                current_store().put(key, path.read_bytes())
            except FileExistsError:
                log().info("%s is kept from an earlier attempt", key)

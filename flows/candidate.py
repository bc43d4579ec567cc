"""Phases 1 to 3: the images of a revision, and what is known of them before they are a release."""

from delivery.ports.cells import CellResult
from delivery.releases.order import Built, Order
from delivery.scanning.findings import ScanReport
from flows.build import build, build_late, queued
from flows.limits import both
from flows.matrix import run_matrix
from flows.scan import scan


async def build_and_prove(order: Order) -> tuple[Built, list[ScanReport], list[CellResult]]:
    """Return all images that were built, what the scans of them found, and how every test cell ended."""
    (built, reports, results), late = await both(prove(order), build_late(order))
    return built.with_suites(late), reports, results


async def prove(order: Order) -> tuple[Built, list[ScanReport], list[CellResult]]:
    """Return the images that tests need, what the scans of them found, and how every test cell ended."""
    first = queued(order)
    try:
        built = await build(order)
    finally:
        first.set()  # also when they failed, or were built by an earlier try of this run
    reports, results = await both(scan(order, built), run_matrix(order, built))
    return built, reports, results

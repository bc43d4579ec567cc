"""Phase 3: every suite on every axis and shard, each in an environment of its own."""

from prefect import flow

from delivery.ports.cells import CellResult
from delivery.releases.order import Built, Order
from delivery.spec.matrix import expand
from flows.announcing import announced
from flows.limits import at_most
from tasks.tests import check_results, result_of_cell


@flow(name="test matrix", flow_run_name="test {order.app.app} {order.revision.short}", persist_result=True)
@announced("tests")
async def run_matrix(order: Order, built: Built) -> list[CellResult]:
    """Run all cells, as many at once as the file allows; Rejected when one failed or ran no test."""
    together = at_most(order.app.parallel_cells)
    results = await together(result_of_cell(order, built, cell) for cell in expand(order.app))
    await check_results(order, results)
    return results

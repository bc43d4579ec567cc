"""Phase 4: the release, as one unit with its evidence."""

from prefect import flow

from delivery.ports.cells import CellResult
from delivery.releases.order import Built, Order
from delivery.releases.release import Release
from delivery.scanning.findings import ScanReport
from flows.announcing import announced
from tasks.publish import publish_release


@flow(name="publish", flow_run_name="publish {order.app.app} {order.revision.short}", persist_result=True)
@announced("publish")
async def publish(order: Order, built: Built, reports: list[ScanReport], results: list[CellResult]) -> Release:
    """Keep the release's manifest and evidence in the registry and the artifact store."""
    return await publish_release(order, built, reports, results)

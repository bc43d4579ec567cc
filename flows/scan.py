"""Phase 2: what is in the images, and whether the policy allows it."""

from prefect import flow

from delivery.releases.order import Built, Order
from delivery.scanning.findings import ScanReport
from flows.announcing import announced
from flows.limits import at_most, both
from tasks.scan import check_findings, keep_sbom, scan_image


@flow(name="scan", flow_run_name="scan {order.app.app} {order.revision.short}", persist_result=True)
@announced("scan")
async def scan(order: Order, built: Built) -> list[ScanReport]:
    """Scan every image by digest and keep its SBOM; Rejected when the policy does not allow what was found."""
    together = at_most(2 * len(built.images))
    reports, _ = await both(
        together(scan_image(order, image) for image in built.images),
        together(keep_sbom(order, image) for image in built.images),
    )
    await check_findings(order, reports)
    return reports

"""Phase 2: what is in the images, and whether the policy allows it."""

import asyncio

from prefect import flow

from delivery.order import Built, Order
from delivery.scanning import ScanReport
from tasks.scan import check_findings, keep_sbom, prepare_scanner, scan_image


@flow(name="scan", flow_run_name="scan {order.revision.short}", persist_result=True)
async def scan(order: Order, built: Built) -> list[ScanReport]:
    """Scan every image by digest and keep its SBOM; Rejected when the policy does not allow what was found."""
    await prepare_scanner(order)
    reports = await asyncio.gather(*(scan_image(order, image) for image in built.images))
    await asyncio.gather(*(keep_sbom(order, image) for image in built.images))
    await check_findings(order, reports)
    return list(reports)

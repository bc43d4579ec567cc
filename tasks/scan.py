"""Look into the images, and decide whether the policy allows what was found."""

from contextlib import suppress
from datetime import UTC, datetime

from blocks.artifact_store import current_store
from blocks.registry import current_registry
from delivery.errors import Rejected
from delivery.ports.registry import check_registry, registry_scan
from delivery.ports.scanner import Scanner
from delivery.releases.order import Order
from delivery.releases.release import BuiltImage, ImageRef
from delivery.scanning.findings import ScanReport, check_database, check_scan, with_registry
from delivery.spec.scan import ScanPolicy
from tasks.notes import note
from tasks.services import services_of
from tasks.step import log, step


@step(timeout_seconds=300)
def prepare_scanner(order: Order) -> None:
    """Bring up the scanner's image and a vulnerability database; Rejected when the policy needs one that cannot be had.

    Then every scan would be inconclusive, which is better known before minutes of building.
    """
    policy = order.app.scan
    if not order.examines:
        check_registry(policy, current_registry())
    database = services_of(order).scanner.prepare(policy, order.run)
    check_database(policy, database.built if database.volume else None, datetime.now(UTC), database.problem)


@step(timeout_seconds=900, name="scan {image.name}")
def scan_image(order: Order, image: BuiltImage) -> ScanReport:
    """Scan one image by digest and keep the whole report, with what the registry found where the policy adds that."""
    report = look_into(services_of(order).scanner, image.name, image.ref, order.app.scan, order.run)
    note(order.run, "scan", image.name, report)
    return report


def look_into(scanner: Scanner, name: str, ref: ImageRef, policy: ScanPolicy, run: str) -> ScanReport:
    """Return what is in an image, with what the registry found where the policy adds that."""
    report = scanner.scan(name, ref, policy, run)
    return with_registry(report, registry_scan(current_registry(), ref)) if policy.registry == "add" else report


@step(timeout_seconds=300, name="sbom {image.name}")
def keep_sbom(order: Order, image: BuiltImage) -> str:
    """Keep the image's CycloneDX SBOM and return where."""
    content = services_of(order).scanner.sbom(image.ref, order.run)
    key = f"runs/{order.run}/sbom/{image.name}.cdx.json"
    with suppress(FileExistsError):  # kept by an earlier attempt
        current_store().put(key, content)
    return current_store().locate(key)


@step(timeout_seconds=30)
def check_findings(order: Order, reports: list[ScanReport]) -> None:
    """Pass, or raise Rejected with everything the policy does not allow, of all images."""
    today = datetime.now(UTC).date()
    refusals: list[str] = []
    for report in reports:
        verdict = check_scan(report, order.app.scan, today)
        for waived in verdict.waived:
            log().info("%s: waived: %s", report.image, waived)
        try:
            verdict.enforce()
        except Rejected as refusal:
            refusals.append(str(refusal))
        else:
            if verdict.inconclusive:
                log().warning("%s: allowed although inconclusive: %s", report.image, verdict.inconclusive)
    if refusals:
        raise Rejected("\n".join(refusals))

"""Make a release of what was built and keep it with its evidence."""

from contextlib import suppress
from datetime import UTC, datetime

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.counting import counted
from delivery.ports.cells import CellResult
from delivery.releases.migrations import migrations_hash
from delivery.releases.order import Built, Order
from delivery.releases.release import BaseImage, Evidence, Release
from delivery.scanning.findings import ScanReport, count_findings
from delivery.spec.configuration import configuration_hash
from delivery.spec.migration_classes import contracts_of
from tasks.images import STAND_INS
from tasks.notes import last_notes, note
from tasks.services import open_services
from tasks.sources import laid_out
from tasks.step import log, step

SHOWN_OF_FINDING = {"kind", "id", "severity", "package", "version"}


@step(timeout_seconds=300)
def publish_release(order: Order, built: Built, reports: list[ScanReport], results: list[CellResult]) -> Release:
    """Return the release, its manifest pushed to the registry and its evidence kept."""
    migration = order.app.database.migrate if order.app.database else None
    release = Release(
        app=order.app.app,
        revision=order.revision,
        images={image.name: image.ref for image in built.images},
        migrations_hash=migrations_hash(laid_out(order), order.app),
        configuration_hash=configuration_hash(order.app, order.environment),
        contracts=contracts_of(migration, laid_out(order)) if migration else (),
        created=order.revision.committed or datetime.now(UTC),
    )
    note(order.run, "release", release.fingerprint, release)
    archive = Archive(current_store())
    archive.keep_release(order.app, release)
    for evidence in (*_bases(order.run, release), *_evidence(release, built, reports, results)):
        with suppress(FileExistsError):  # kept by an earlier attempt
            archive.add_evidence(release, evidence)
    ref = open_services().builder.publish(release, order.run)
    log().info("published release %s as %s", release.fingerprint, ref)
    return release


def _bases(run: str, release: Release) -> list[Evidence]:
    """Return the evidence that images from elsewhere were not what the files name; none when they were."""
    stand_ins = sorted(last_notes(run, STAND_INS, BaseImage), key=lambda base: base.asked)
    if not stand_ins:
        return []
    named = ", ".join(base.asked for base in stand_ins)
    return [
        Evidence(
            kind="bases",
            subject=release.fingerprint,
            at=datetime.now(UTC),
            outcome="inconclusive",
            summary=f"made or tested with stand-ins for {named}",
            details={base.asked: base.describe() for base in stand_ins},
        )
    ]


def _evidence(release: Release, built: Built, reports: list[ScanReport], results: list[CellResult]) -> list[Evidence]:
    now, sizes = datetime.now(UTC), {image.name: image.size_bytes for image in built.images}
    tests = sum(result.tests for result in results)
    silent = sum(not result.junit_found for result in results)
    scans = [
        Evidence(
            kind="scan",
            subject=str(report.ref),
            at=report.scanned_at,
            outcome="pass" if report.database_status == "fresh" else "inconclusive",
            summary=f"{report.image}: {count_findings(report.findings)}, "
            f"vulnerability database {report.database_status}",
            details={
                "image": report.image,
                "size_bytes": sizes.get(report.image, 0),
                "findings": [one.model_dump(mode="json", include=SHOWN_OF_FINDING) for one in report.findings],
            },
        )
        for report in reports
    ]
    suites = Evidence(
        kind="tests",
        subject=release.fingerprint,
        at=now,
        outcome="pass",
        summary=f"{counted(tests, 'test')} in {counted(len(results), 'cell')} passed"
        + (f", {silent} by exit code alone" if silent else ""),
        # A later release rehearses its migrations with this one's code, which is asked by this one's suites.
        details={"suites": {image.name: image.ref.model_dump(mode="json") for image in built.suites}},
    )
    return [*scans, suites]

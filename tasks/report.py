"""Write the report of a run from what its steps left."""

from collections import Counter
from datetime import UTC, datetime
from typing import Literal

from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run
from prefect.utilities.urls import url_for

from blocks.artifact_store import current_store
from delivery.changes.journal import Journal, spent_seconds
from delivery.changes.lease import Takeover
from delivery.ports.backups import BackupProof
from delivery.ports.belongings import Losses
from delivery.ports.cells import CellResult
from delivery.ports.observation import EndedConnections, Fallback, Observation
from delivery.ports.slots import TargetState
from delivery.releases.approval import Decision
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.releases.order import Order
from delivery.releases.release import BaseImage, BuiltImage, Release
from delivery.report.html import report_html
from delivery.report.markdown import report_markdown
from delivery.report.record import BackupFigures, DeliveryRecord, Outcome, ReleaseFigures, ScanSummary, StepTime
from delivery.scanning.findings import ScanReport, count_findings
from delivery.spec.app import App
from delivery.spec.checks import CheckResult
from tasks.images import STAND_INS
from tasks.notes import last_notes, read_notes
from tasks.step import log, show, step


@step(timeout_seconds=120, retries=0, name="write the report", keep=False)
def write_report(
    run: str,
    environment: str,
    kind: Literal["delivery", "rollback"],
    outcome: Outcome,
    reason: str,
    started: datetime,
) -> str:
    """Keep the run's record as JSON and as a page, show it in the UI, and return the page's path."""
    names = (flow_run.name or "", flow_run.ui_url or "")
    record = _keep(_record(run, names, environment, kind, outcome, reason, started))
    show(report_markdown(record), f"report-{run[:8]}", "What this run did")
    log().info("%s in %.1f s; report: %s", outcome, record.seconds, record.report)
    return record.report


def report_crash(run: FlowRun, flow: str, reason: str) -> None:
    """Keep the record and the page of a delivery or rollback whose process died before it could; what fails is logged.

    Whoever looks after the dead does it.
    """
    kind: Literal["delivery", "rollback"] = "rollback" if flow == "rollback" else "delivery"
    environment = str(run.parameters.get("environment", "production"))
    names = (run.name, url_for("flow-run", obj_id=run.id) or "")
    started = run.start_time or datetime.now(UTC)
    try:
        _keep(_record(str(run.id), names, environment, kind, "crashed", reason, started))
    except Exception as error:  # to look after the dead is worth more
        log().error("no report of run %s (%s) was written: %s", run.name, run.id, error)


def _keep(record: DeliveryRecord) -> DeliveryRecord:
    """Keep the record as JSON and as a page, and return it with the page's path."""
    store = current_store()
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")  # a resumed run has a report of its own
    page = f"runs/{record.run}/report-{moment}.html"
    record = record.model_copy(update={"report": store.locate(page)})
    store.put(f"runs/{record.run}/record-{moment}.json", record.model_dump_json(indent=2).encode())
    store.put(page, report_html(record).encode())
    return record


def _record(
    run: str,
    names: tuple[str, str],
    environment: str,
    kind: Literal["delivery", "rollback"],
    outcome: Outcome,
    reason: str,
    started: datetime,
) -> DeliveryRecord:
    orders, releases = last_notes(run, "order", Order), last_notes(run, "release", Release)
    images = last_notes(run, "images", BuiltImage)
    name = orders[0].name if orders else names[0]
    steps = [
        StepTime.model_validate_json(current_store().get(key)) for key in current_store().keys(f"runs/{run}/steps")
    ]
    return DeliveryRecord(
        run=run,
        run_name=name,
        kind=kind,
        ui_url=names[1],
        app=orders[0].app.app if orders else "",
        environment=environment,
        outcome=outcome,
        reason=reason,
        started=min([started, *(step.started for step in steps)]),
        ended=datetime.now(UTC),
        revision=orders[0].revision if orders else None,
        release=releases[0] if releases else None,
        images=tuple(images),
        substitutes=tuple(sorted(last_notes(run, STAND_INS, BaseImage), key=lambda base: base.asked)),
        scans=tuple(_scan(report) for report in last_notes(run, "scan", ScanReport)),
        cells=tuple(last_notes(run, "results", CellResult)),
        acceptance=tuple(last_notes(run, "acceptance", CellResult)),
        checks=tuple(result for _, result in read_notes(run, "checks", CheckResult)),
        decisions=tuple(last_notes(run, "decisions", Decision)),
        takeovers=tuple(last_notes(run, "thefts", Takeover)),
        backups=tuple(_backup(name, proof) for name, proof in read_notes(run, "backup", BackupProof)),
        infrastructure=tuple(last_notes(run, "infrastructure", InfrastructurePlan)),
        losses=tuple(f"{name}: {line}" for name, lost in read_notes(run, "losses", Losses) for line in lost.lines),
        unproven=_volumes(orders[0].app) if orders else (),
        releases=_releases(run, orders[0].app.app if orders else ""),
        steps=tuple(sorted(steps, key=lambda step: step.started)),
    )


def _scan(report: ScanReport) -> ScanSummary:
    return ScanSummary(
        image=report.image,
        findings=len(report.findings),
        worst=count_findings(report.findings),
        database=report.database_status,
    )


def _backup(environment: str, proof: BackupProof) -> BackupFigures:
    return BackupFigures(
        environment=environment,
        tables=proof.tables,
        rows=proof.rows,
        rpo_seconds=proof.rpo_seconds,
        rto_seconds=proof.rto_seconds,
    )


def _volumes(app: App) -> tuple[str, ...]:
    """Return the volumes the application keeps things in beside its database."""
    named = {volume for service in app.services.values() for volume in service.volumes}
    return tuple(sorted(named)) + tuple(name for name, backing in app.backing.items() if backing.volume)


def _releases(run: str, app: str) -> tuple[ReleaseFigures, ...]:
    """Return what was seen in each environment, in the order they were released into."""
    states = dict(read_notes(run, "state", TargetState))
    seen = read_notes(run, "watch", Observation)
    back = read_notes(run, "retreat", Fallback)
    cut = read_notes(run, "ended", EndedConnections)
    names = Counter([*(name for name, _ in [*seen, *back, *cut]), *states])
    return tuple(
        ReleaseFigures(
            environment=name,
            url=states[name].url if name in states else None,
            observations=tuple(observation for where, observation in seen if where == name),
            fallbacks=tuple(fallback for where, fallback in back if where == name),
            ended=tuple(ended for where, ended in cut if where == name),
            spent_seconds=_spent(app, name, run, [observation for where, observation in seen if where == name]),
        )
        for name in names
    )


def _spent(app: str, environment: str, run: str, seen: list[Observation]) -> dict[str, float]:
    journal = Journal(current_store(), app, environment)
    newest = journal.last_sequence()
    spent = spent_seconds(journal.entries(newest) if newest is not None else (), run)
    watched = {"watch": sum(observation.seconds for observation in seen)} if seen else {}
    return {verb: round(seconds, 3) for verb, seconds in {**spent, **watched}.items()}

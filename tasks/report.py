"""Write the report of a run from what its steps left."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

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
from delivery.releases.rehearsal import Rehearsal
from delivery.releases.release import BaseImage, BuiltImage, Release
from delivery.releases.run_names import requester_in
from delivery.report.html import report_html
from delivery.report.markdown import report_markdown
from delivery.report.record import (
    BackupFigures,
    DeliveryRecord,
    Kind,
    Outcome,
    ReleaseFigures,
    RestoreFigures,
    ScanSummary,
    StepTime,
)
from delivery.scanning.findings import ScanReport, count_findings
from delivery.spec.app import App
from delivery.spec.beside_database import beside_database
from delivery.spec.checks import CheckResult
from delivery.spec.hooks import HookResult
from tasks.announcements import PROOF, announce_crash
from tasks.images import STAND_INS
from tasks.notes import last_notes, read_notes
from tasks.rehearsal import KIND as REHEARSAL
from tasks.restores import newest_restores
from tasks.skipped import INSTEAD, Skipped
from tasks.step import log, show, step

KINDS: dict[str, Kind] = {
    "deliver": "delivery",
    "rollback": "rollback",
    "examine": "proof",
}  # flow → what it does


@step(timeout_seconds=120, retries=0, name="write the report", keep=False)
def write_report(
    run: str,
    environment: str,
    kind: Kind,
    outcome: Outcome,
    reason: str,
    started: datetime,
    gate: str = "",
) -> str:
    """Keep the run's record as JSON and as a page, show it in the UI, and return the page's path."""
    names = (flow_run.name or "", url_for("flow-run", obj_id=run) or "", requester_in(flow_run.tags or []))
    told = _record(run, names, environment, kind, outcome, reason, started)
    record = _keep(told.model_copy(update={"gate": gate}))
    show(report_markdown(record), f"report-{run[:8]}", "What this run did")
    log().info("%s in %.1f s; report: %s", outcome, record.seconds, record.report)
    return record.report


def report_crash(run: FlowRun, flow: str, reason: str) -> None:
    """Keep the record and the page of a delivery or rollback whose process died before it could; what fails is logged.

    Whoever looks after the dead does it.
    """
    kind = KINDS.get(flow, "delivery")
    environment = str(run.parameters.get("environment", "production"))
    names = (run.name, url_for("flow-run", obj_id=run.id) or "", requester_in(run.tags))
    started = run.start_time or datetime.now(UTC)
    try:
        _keep(_record(str(run.id), names, environment, kind, "crashed", reason, started))
    except Exception as error:  # to look after the dead is worth more
        log().error("no report of run %s (%s) was written: %s", run.name, run.id, error)
    part = PROOF if kind == "proof" else environment
    announce_crash(str(run.id), names[1], part, started, reason)


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
    names: tuple[str, str, str],
    environment: str,
    kind: Kind,
    outcome: Outcome,
    reason: str,
    started: datetime,
) -> DeliveryRecord:
    orders, releases = last_notes(run, "order", Order), last_notes(run, "release", Release)
    steps = _steps(run)
    return DeliveryRecord(
        run=run,
        run_name=orders[0].name if orders else names[0],
        kind=kind,
        ui_url=names[1],
        requested_by=names[2],
        app=orders[0].app.app if orders else "",
        environment=environment,
        outcome=outcome,
        reason=reason,
        started=min([started, *(step.started for step in steps)]),
        ended=datetime.now(UTC),
        revision=orders[0].revision if orders else None,
        release=releases[0] if releases else None,
        images=tuple(last_notes(run, "images", BuiltImage)),
        substitutes=tuple(sorted(last_notes(run, STAND_INS, BaseImage), key=lambda base: base.asked)),
        scans=tuple(_scan(report) for report in last_notes(run, "scan", ScanReport)),
        **_results(run),
        decisions=tuple(last_notes(run, "decisions", Decision)),
        skipped=tuple(dict.fromkeys(sha for one in last_notes(run, INSTEAD, Skipped) for sha in one.commits)),
        takeovers=tuple(last_notes(run, "thefts", Takeover)),
        backups=tuple(_backup(name, proof) for name, proof in read_notes(run, "backup", BackupProof)),
        rehearsals=tuple(last_notes(run, REHEARSAL, Rehearsal)),
        infrastructure=tuple(last_notes(run, "infrastructure", InfrastructurePlan)),
        losses=tuple(f"{name}: {line}" for name, lost in read_notes(run, "losses", Losses) for line in lost.lines),
        unproven=beside_database(orders[0].app, environment) if orders else (),
        restores=tuple(_restores(orders[0].app)) if orders else (),
        releases=_releases(run, orders[0].app.app if orders else ""),
        steps=steps,
    )


def _steps(run: str) -> tuple[StepTime, ...]:
    store = current_store()
    found = (StepTime.model_validate_json(store.get(key)) for key in store.keys(f"runs/{run}/steps"))
    return tuple(sorted(found, key=lambda step: step.started))


def _results(run: str) -> dict[str, Any]:
    """Return how ended what a run asked of suites, checks and the team's own commands."""
    return {
        "cells": tuple(last_notes(run, "results", CellResult)),
        "acceptance": tuple(last_notes(run, "acceptance", CellResult)),
        "checks": tuple(result for _, result in read_notes(run, "checks", CheckResult)),
        "hooks": tuple(result for _, result in read_notes(run, "hooks", HookResult)),
    }


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


def _restores(app: App) -> Iterable[RestoreFigures]:
    """Yield what the newest restores of each environment showed, where there were some."""
    for environment, described in app.environments.items():
        if restores := newest_restores(app.app, environment):
            limits = described.backups.drill
            yield RestoreFigures(
                environment=environment,
                restores=restores,
                rpo_limit=limits.rpo_seconds,
                rto_limit=limits.rto_seconds,
            )


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

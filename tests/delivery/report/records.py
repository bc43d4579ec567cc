"""A record of a delivery, as a run leaves it."""

from datetime import timedelta
from typing import Any

from delivery.ports.cells import CellResult
from delivery.ports.observation import Fallback, Observation, SlotCounts, TrafficSample
from delivery.releases.approval import Decision
from delivery.releases.release import BaseImage, BuiltImage
from delivery.report.record import BackupFigures, DeliveryRecord, ReleaseFigures, ScanSummary, StepTime
from delivery.spec.matrix import Cell
from tests.delivery.values import NOON, make_release


def at(seconds: float) -> Any:
    return NOON + timedelta(seconds=seconds)


def make_steps() -> tuple[StepTime, ...]:
    times = [("build web", 0, 4), ("scan web", 4, 6), ("unit 1/2", 4, 9), ("publish", 9, 10), ("stage", 10, 14)]
    return tuple(StepTime(name=name, phase="p", started=at(start), ended=at(end)) for name, start, end in times)


def make_figures(requests: int = 300, errors: int = 0) -> ReleaseFigures:
    sample = TrafficSample(at=at(15), percent=10, live_requests=30, live_errors=errors, baseline_requests=270)
    seen = Observation(
        verdict="healthy",
        reason="0 of 300 requests failed; at most 1 % may",
        started=at(14),
        seconds=5,
        live=SlotCounts(requests=requests, errors=errors),
        samples=(sample, sample.model_copy(update={"at": at(16), "percent": 100})),
    )
    back = Fallback(reason="green-1 died", first_sign=at(15), traffic_back=at(15.3))
    return ReleaseFigures(
        environment="production",
        url="http://127.0.0.1:8080",
        observations=(seen,),
        fallbacks=(back,),
        spent_seconds={"stage": 3.5, "shift": 1.0},
    )


def make_record(**more: Any) -> DeliveryRecord:
    release = make_release(7)
    cells = (
        CellResult(cell=Cell(suite="unit", shard=1, shards=2), outcome="passed", tests=12, junit_found=True, seconds=5),
        CellResult(cell=Cell(suite="smoke"), outcome="passed", seconds=1),
    )
    decision = Decision(
        decision="approve", approver="kim", comment="go", environment="production", binding="b1", at=at(12)
    )
    fields: dict[str, Any] = {
        "run": "r1",
        "run_name": "main → production",
        "ui_url": "http://127.0.0.1:4200/runs/r1",
        "app": "shop",
        "environment": "production",
        "outcome": "delivered",
        "started": at(0),
        "ended": at(20),
        "revision": release.revision,
        "release": release,
        "images": (
            BuiltImage(name="web", ref=release.images["web"], builder="docker 20.10", seconds=4, size_bytes=5_000_000),
        ),
        "substitutes": (
            BaseImage(
                asked="node:22-alpine", used="headway/node:22", substitute=True, version="node 22.20.0", lacks=("apk",)
            ),
        ),
        "scans": (ScanSummary(image="web", findings=3, worst="3 LOW", database="fresh"),),
        "cells": cells,
        "decisions": (decision,),
        "backups": (BackupFigures(environment="production", tables=2, rows=9, rpo_seconds=0.1, rto_seconds=1.5),),
        "releases": (make_figures(),),
        "steps": make_steps(),
        "report": "/store/runs/r1/report.html",
    }
    return DeliveryRecord.model_validate(fields | more)

"""What a run did and why it ended so, and what tells releases apart: read from what was kept."""

from datetime import datetime

from pydantic import Field

from delivery.errors import Misconfigured, parts_of
from delivery.model import Model
from delivery.releases.change import Commit
from delivery.releases.difference import Known, ReleaseDifference, differ
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.report.explanation import Explanation, explain
from delivery.report.record import DeliveryRecord
from flows.run_search import find, latest
from flows.runs import AFTER_CRASH, RunView, look, question
from tasks.environment import live_release
from tasks.known import current_environments
from tasks.notes import last_notes
from tasks.records import archive, locate, newest_record


class LoggedStep(Model):
    """One step of a run."""

    name: str
    phase: str = ""
    started: datetime | None = None
    seconds: float = 0
    outcome: str = Field(description="done, failed or interrupted; of a run under way its state")
    attempts: int = 1


class RunLog(Model):
    """What a run did, step by step."""

    id: str
    name: str
    state: str
    outcome: str = Field("", description="how it ended, in the report's words; empty: it has not, or died")
    requested_by: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    message: str = ""
    steps: tuple[LoggedStep, ...] = ()
    warnings: tuple[str, ...] = ()
    report: str = Field("", description="where the page with all of it is")


def choose(text: str | None, app: str | None) -> RunView:
    """Return the run that is meant: by its id or name, or the newest; Misconfigured when there is none."""
    if text is not None:
        return find(text, app)
    newest = latest(1, app)
    if not newest:
        raise Misconfigured("run", f"none{f' of {app}' * bool(app)} yet", next_step="headway run")
    return newest[0]


def log_of(run: RunView) -> RunLog:
    """Return what a run did: from its record once it has one, else as the server knows it."""
    seen, record = look(run.id), newest_record(run.id)
    steps = _recorded(record) if record and record.steps else _known(seen)
    return RunLog(
        id=run.id,
        name=record.name if record else run.name,
        state=seen.state,
        outcome=record.outcome if record and seen.has_ended else "",
        requested_by=run.requested_by,
        started=record.started if record else seen.started,
        ended=record.ended if record and seen.has_ended else seen.ended,
        message=seen.message or (record.reason if record else ""),
        steps=steps,
        warnings=seen.warnings,
        report=record.report if record else "",
    )


def explanation(run: RunView) -> Explanation:
    """Return why a run ended as it did, or what it waits for."""
    record = newest_record(run.id)
    if record and run.has_ended:
        orders = last_notes(run.id, "order", Order)
        return explain(record, orders[0].app if orders else None, locate)
    return _without_record(run)


def difference(app: str, old: str, new: str, commits: tuple[Commit, ...] | None = None) -> ReleaseDifference:
    """Return what tells two releases apart; each is named by its fingerprint, or by the environment it is live in."""
    before, after = known(app, old), known(app, new)
    rehearsed = archive().rehearsals(app, before.release, after.release)
    return differ(before, after, commits, rehearsed[-1].applied if rehearsed else ())


def known(app: str, asked: str) -> Known:
    """Return the release that is live in the environment `asked`, or that has this fingerprint, with its evidence.

    Raises Misconfigured when it is neither.
    """
    kept = archive()
    described = {one.environment: one.app for one in current_environments() if one.app.app == app}
    fingerprint = asked
    if asked in described:
        live: Release | None = live_release(described[asked], asked)
        if live is None:
            raise Misconfigured(f"{asked} of {app}", "nothing is live", next_step="headway history")
        fingerprint = live.fingerprint
    file, release = kept.release(app, fingerprint)
    return Known(asked, file, release, kept.evidence(release))


def _recorded(record: DeliveryRecord) -> tuple[LoggedStep, ...]:
    return tuple(
        LoggedStep(
            name=step.name,
            phase=step.phase,
            started=step.started,
            seconds=step.seconds,
            outcome=step.outcome,
            attempts=step.attempts,
        )
        for step in record.steps
    )


def _known(seen: RunView) -> tuple[LoggedStep, ...]:
    ends = {"completed": "done"}
    return tuple(
        LoggedStep(
            name=step.name,
            started=step.started,
            seconds=step.seconds,
            outcome=ends.get(step.state, step.state),
        )
        for step in seen.steps
        if not step.did_nothing
    )


def _without_record(run: RunView) -> Explanation:
    """Return what is known of a run that has not ended, or died before it could write anything down."""
    said, allowed, steps = parts_of(run.message)
    told = {"run": run.id, "name": run.name, "outcome": run.state.lower(), "allowed": allowed}
    if run.waits:
        answers = (f"headway approve {run.id[:8]}", f"headway reject {run.id[:8]}")
        asked = (question(run.id) or "").splitlines()
        more = {"meaning": "it waits for an answer", "gate": "approval", "found": asked, "next_steps": answers}
    elif not run.has_ended and run.started is None:
        more = {
            "meaning": "it waits for a worker",
            "next_steps": (f"headway log {run.id[:8]} --follow", "headway doctor"),
        }
    elif not run.has_ended:
        running = [step.name for step in look(run.id).steps if step.state == "running"]
        follow = (f"headway log {run.id[:8]} --follow",)
        more = {"meaning": "it is under way", "step": ", ".join(running), "next_steps": follow}
    else:
        after = AFTER_CRASH.removeprefix("next: ") if run.kind == "CRASHED" else f"headway log {run.id[:8]}"
        lines = tuple(line for line in said.splitlines() if line.strip())
        meaning = "it left no record"
        more = {"meaning": meaning, "found": lines, "next_steps": tuple(dict.fromkeys((*steps, after)))}
    return Explanation.model_validate(told | more)

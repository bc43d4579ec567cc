"""Say what a release changes, and keep who decided about it."""

from datetime import UTC, datetime
from typing import Literal

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.programs import git
from delivery.releases.approval import Decision, check_approval
from delivery.releases.change import Change, Commit, compare
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.releases.order import Order
from delivery.releases.rehearsal import Rehearsal
from delivery.releases.release import Evidence, Release
from delivery.report.markdown import change_markdown
from tasks.environment import live_release
from tasks.notes import note, read_notes
from tasks.rehearsal import KIND as REHEARSAL
from tasks.sources import repository_of
from tasks.step import show, step


@step(timeout_seconds=120, keep=False)
def describe_change(order: Order, release: Release, plan: InfrastructurePlan | None) -> tuple[Change, str]:
    """Return what the release changes against what is live, as a value and as Markdown, and show it in the UI."""
    live = live_release(order.app, order.environment)
    commits: tuple[Commit, ...] = ()
    if live:
        commits = git.log_between(repository_of(order), live.revision.sha, order.revision.sha, order.folder)
    change = compare(order.app, order.environment, release, live, commits, plan, _rehearsal(order))
    evidence = Archive(current_store()).evidence(release)
    change = change.model_copy(
        update={
            "findings": "; ".join(e.summary for e in evidence if e.kind == "scan"),
            "stand_ins": "; ".join(dict.fromkeys(e.summary for e in evidence if e.kind == "bases")),
            "tests": "; ".join(e.summary for e in evidence if e.kind == "tests"),
        }
    )
    text = change_markdown(change)
    show(text, f"change-{order.app.app}-{order.environment}", "What would change")
    return change, text


@step(timeout_seconds=120, keep=False)
def check_still_approved(
    order: Order, release: Release, decision: Decision, plan: InfrastructurePlan | None = None
) -> None:
    """Pass when what was approved is what would be done now; Rejected when the environment changed since."""
    live = live_release(order.app, order.environment)
    if decision.unattended or (live and live.fingerprint == release.fingerprint):
        return
    check_approval(decision, compare(order.app, order.environment, release, live, (), plan, _rehearsal(order)).binding)


@step(timeout_seconds=60, keep=False)
def keep_decision(
    order: Order,
    change: Change,
    answer: Literal["approve", "reject"],
    approver: str,
    comment: str,
    unattended: bool,
    binding: str | None = None,
    destroy: str = "",
) -> Decision:
    """Keep the decision as evidence of the release; Rejected unless it approves what would be done now."""
    decision = Decision(
        decision=answer,
        approver=approver,
        comment=comment,
        environment=order.environment,
        binding=change.binding,
        at=datetime.now(UTC),
        unattended=unattended,
        destroy=destroy,
    )
    evidence = Evidence(
        kind="approval",
        subject=order.environment,
        at=decision.at,
        outcome="pass" if decision.decision == "approve" else "fail",
        summary=f"{decision.decision} by {approver}" + (f": {comment}" if comment else ""),
        details=decision.model_dump(mode="json"),
    )
    Archive(current_store()).add_evidence(change.release, evidence)
    note(order.run, "decisions", order.environment, decision)
    check_approval(decision, binding or change.binding)
    return decision


def _rehearsal(order: Order) -> Rehearsal | None:
    """Return what the migrations did on a copy of the environment that is asked about; none: nothing was tried."""
    return dict(read_notes(order.run, REHEARSAL, Rehearsal)).get(order.environment)

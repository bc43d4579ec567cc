"""A person lets a release into an environment, or does not: answered as a user answers."""

from datetime import UTC, datetime
from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.exceptions import Pause

from delivery.changes.heartbeat import FolderHeartbeats
from delivery.errors import Rejected
from delivery.releases.approval import Decision
from delivery.releases.change import compare
from delivery.releases.order import Order
from delivery.releases.release import Release
from flows import gate, runs
from flows.approve import Approval, await_approval
from flows.deliver import deliver
from flows.ending import ends_in_words
from tests.flows.platform import MEMORY, artifacts

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@flow(name="gate alone", persist_result=True)
@ends_in_words
async def gate_alone(order: Order, release: Release) -> Decision | State[Any]:
    return await await_approval(order, release)


@flow(name="asks twice")
async def asks_twice() -> list[str]:
    form = Approval.with_initial_data(description="May it?")
    return [(await gate.ask(form, "same", "pause", 30)).approver for _ in range(2)]


@pytest.fixture(autouse=True)
def asks(platform, monkeypatch):
    """Production asks a person."""
    monkeypatch.setattr(gate, "POLL_SECONDS", 0.05)
    policy = {"by": "person", "wait": "pause", "timeout_seconds": 5}
    platform.describe(environments={"production": {"target": MEMORY, "approval": policy}})


@pytest.fixture
def at_gate(platform):
    """Bring release 2 to production, where 1 is live, and act when it is asked about."""
    platform.set_live(1)
    release = platform.release(2)
    run = platform.create(gate_alone, {"order": platform.order("run-2"), "release": release})
    return lambda act: platform.carry_while(run, act, gate_alone)


def says(decision, approver="ann@example.com", comment=""):
    return lambda run: runs.answer(runs.look(run), decision, approver, comment)


def test_an_approved_release_goes_live_and_the_record_says_by_whom(platform):
    run = platform.deliver_while(says("approve", comment="looks good"))

    [decision] = platform.record(run.id).decisions
    assert run.state.is_completed(), run.ended
    assert platform.live() is not None
    assert (decision.decision, decision.approver, decision.comment) == ("approve", "ann@example.com", "looks good")
    assert not decision.unattended


def test_the_question_shows_what_would_change(platform, at_gate):
    seen = {}

    def look_and_approve(run: str) -> None:
        seen["question"], seen["shown"] = runs.question(run), artifacts(run)
        says("approve")(run)

    at_gate(look_and_approve)

    assert platform.release(2).fingerprint in seen["question"]
    assert seen["shown"]["change-shop-production"] == seen["question"]


def test_a_rejected_release_stays_out(platform, at_gate):
    run = at_gate(says("reject", comment="not on a Friday"))

    evidence = platform.archive.evidence(platform.release(2))
    assert run.ended == ("Rejected", "rejected by ann@example.com: not on a Friday")
    assert [(found.kind, found.outcome) for found in evidence] == [("approval", "fail")]


def test_no_answer_is_a_no(at_gate):
    run = at_gate(lambda run: None)

    assert run.ended == ("Rejected", "nobody answered within 5 s")


def test_another_live_release_voids_the_approval(platform, at_gate):
    def approve_too_late(run: str) -> None:
        platform.set_live(9)
        says("approve")(run)

    run = at_gate(approve_too_late)

    assert run.ended[0] == "Rejected"
    assert "approved" in run.ended[1]
    assert "by now" in run.ended[1]


def test_an_approval_is_void_when_the_environment_changes_before_the_lease_is_there(platform):
    first, release = platform.set_live(1), platform.release(2)
    binding = compare(platform.app, "production", release, first, ()).binding
    fields = {"approver": "ann", "environment": "production", "binding": binding, "at": datetime.now(UTC)}
    decision = Decision.model_validate(fields | {"decision": "approve"})
    other = platform.set_live(9)

    state = platform.loop.run(platform.putting_live(release, "run-2", decision))

    assert state.is_failed()
    assert "ann approved" in state.message
    assert platform.live() == other


@pytest.mark.parametrize("nobody", ["", "x", "   "])
def test_an_answer_without_a_name_is_refused_and_the_run_still_waits(at_gate, nobody):
    def answer_twice(run: str) -> None:
        with pytest.raises(Rejected, match="approver"):
            says("approve", nobody)(run)
        assert runs.look(run).waits
        says("reject")(run)

    assert at_gate(answer_twice).ended[0] == "Rejected"


def test_a_run_that_does_not_wait_takes_no_answer(platform, at_gate):
    run = at_gate(says("reject"))

    with pytest.raises(Rejected, match="not paused"):
        says("approve")(run.id)


@pytest.mark.long
def test_a_run_that_is_tried_again_asks_again_and_keeps_what_it_made(platform):
    platform.behaviour().during = _fails_once(platform)
    deployed = platform.create_deployed(deliver, {"project": str(platform.project)})
    first = platform.carry_while(deployed, says("approve"))
    assert first.ended[0] == "Withdrawn", first.ended

    platform.retry(first.id)
    again = platform.carry_while(first.id, says("approve", "bob@example.com"))

    assert again.state.is_completed(), again.ended
    assert [decision.approver for decision in platform.record(first.id).decisions] == ["bob@example.com"]
    approvals = [found.summary for found in platform.archive.evidence(platform.live()) if found.kind == "approval"]
    assert approvals == ["approve by ann@example.com", "approve by bob@example.com"]
    assert platform.containers.calls["build web"] == 1


def test_an_approval_survives_the_process_that_got_it(platform):
    platform.behaviour().during = _fails_once(platform)
    first = platform.deliver_while(says("approve"))

    again = platform.carry_again(deliver, first.id)

    assert again.state.is_completed(), again.ended


def test_a_question_that_was_answered_is_not_asked_again(platform):
    run = platform.carry_while(platform.create(asks_twice, {}), says("approve"), asks_twice)

    assert run.state.is_completed(), run.ended
    assert run.error == ["ann@example.com", "ann@example.com"]


def test_a_suspended_run_leaves_its_process_and_no_report(platform, monkeypatch):
    async def suspended(**asked: object) -> None:
        assert str(asked["key"]).startswith("approve-production-")
        raise Pause("suspended")

    monkeypatch.setattr(gate, "asuspend_flow_run", suspended)
    policy = {"by": "person", "wait": "suspend"}
    platform.describe(environments={"production": {"target": MEMORY, "approval": policy}})
    run = platform.create(deliver, {"project": str(platform.project)})

    with pytest.raises(Pause):
        platform.carry(deliver, run)

    assert FolderHeartbeats(platform.home.heartbeats).find(run) is None
    assert platform.containers.removed == []
    assert platform.live() is None


def _fails_once(platform):
    seen: list[str] = []

    def during(verb: str) -> None:
        seen.append(verb)
        fingerprint = next(iter(platform.containers.published))
        unhealthy = platform.behaviour().never_healthy
        unhealthy.add(fingerprint) if seen == ["stage"] else unhealthy.discard(fingerprint)

    return during

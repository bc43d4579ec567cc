"""Every way a run can end is explained: the gate, what was found and allowed, the evidence, and the next step."""

from datetime import timedelta
from typing import get_args

import pytest

from delivery.errors import Misconfigured, Rejected, parts_of
from delivery.releases.approval import Decision
from delivery.report.explanation import MEANING, explain, stopping_step
from delivery.report.record import DeliveryRecord, Outcome, StepTime
from tests.delivery.values import NOON, make_app

SECOND = timedelta(seconds=1)
STEPS = ("done", "failed", "interrupted")


def record(outcome: Outcome, reason: str = "", **more: object) -> DeliveryRecord:
    fields = {"run": "5f3a9c21-0000", "app": "shop", "environment": "production", "outcome": outcome, "reason": reason}
    times = {"started": NOON, "ended": NOON + SECOND, "report": "/kept/report.html"}
    return DeliveryRecord.model_validate(fields | times | more)


def step(name: str, outcome: str = "done", second: int = 0) -> StepTime:
    began = NOON + second * SECOND
    return StepTime.model_validate({"name": name, "started": began, "ended": began + SECOND, "outcome": outcome})


def locate(key: str) -> str:
    return f"/store/{key}"


def test_every_outcome_has_its_meaning() -> None:
    assert set(MEANING) == set(get_args(Outcome))


@pytest.mark.parametrize("outcome", ["delivered", "unchanged", "proven"])
def test_what_went_well_was_stopped_by_nothing(outcome: Outcome) -> None:
    told = explain(
        record(outcome, steps=[step("build web", "failed"), step("build web", second=2)]), make_app(), locate
    )
    assert (told.gate, told.step, told.allowed) == ("", "", "")
    assert told.next_steps == ("headway status --app shop",)


def test_a_mistake_is_told_with_what_is_allowed_and_its_own_next_step_first() -> None:
    error = Misconfigured("headway.yaml: scan.block", "HUGE", "CRITICAL, HIGH", "headway check")
    told = explain(record("misconfigured", str(error), steps=[step("check out HEAD", "failed")]), make_app(), locate)
    assert (told.gate, told.step) == ("the order", "check out HEAD")
    assert told.found == ("headway.yaml: scan.block: HUGE",)
    assert told.allowed == "CRITICAL, HIGH"
    assert told.next_steps == ("headway check", "headway run")


def test_a_fault_of_headway_itself_says_what_is_known_and_where_to_look() -> None:
    told = explain(record("failed", "KeyError: 'x'", steps=[step("publish release", "failed")]), make_app(), locate)
    assert (told.gate, told.found) == ("publish release", ("KeyError: 'x'",))
    assert told.next_steps == ("headway log 5f3a9c21", "headway doctor")
    assert told.evidence == ("/kept/report.html",)


def test_after_a_crash_the_environment_is_waited_for() -> None:
    told = explain(record("crashed", "the process died", environment="staging"), None, locate)
    assert told.next_steps == (
        "headway status --app shop, until the environment is free",
        "headway run --environment staging",
    )


def test_a_run_that_somebody_stopped_can_be_started_again() -> None:
    told = explain(record("interrupted", "", kind="rollback", steps=[step("watch", "interrupted")]), make_app(), locate)
    assert told.step == "watch"
    assert told.next_steps == ("headway rollback, once that is mended",)


def test_a_rejection_by_a_person_is_told_in_their_words() -> None:
    no = Decision(
        decision="reject", approver="ada", comment="not today", environment="production", binding="b", at=NOON
    )
    told = explain(record("rejected", "rejected by ada: not today", decisions=[no]), make_app(), locate)
    assert (told.gate, told.found) == ("approval", ("ada rejected it: not today",))


def test_what_is_frozen_or_bad_says_so() -> None:
    refusal = (
        "production of shop is frozen by ana: sale; allowed: a rollback that says so\n  next: headway thaw production"
    )
    steps = [step("check out HEAD", "failed")]
    told = explain(record("rejected", refusal, steps=steps, gate="freeze"), make_app(), locate)
    assert (told.gate, told.step) == ("freeze", "check out HEAD")
    assert told.allowed == "a rollback that says so"
    assert told.next_steps[0] == "headway thaw production"


def test_the_step_that_stopped_a_run_is_the_first_that_failed_for_good() -> None:
    steps = [
        step("build web", "failed", 0),
        step("build web", "done", 1),
        step("stage 3f2a", "failed", 2),
        step("withdraw 3f2a", "failed", 3),
    ]
    assert stopping_step(record("withdrawn", steps=steps)) == steps[2]


def test_a_message_is_read_as_it_was_written() -> None:
    assert parts_of(str(Misconfigured("file", "is empty", "keys", "headway init"))) == (
        "file: is empty",
        "keys",
        ("headway init",),
    )
    assert parts_of(str(Rejected("one; allowed: a\ntwo; allowed: b\n  next: mend both"))) == (
        "one; allowed: a\ntwo; allowed: b",
        "",
        ("mend both",),
    )

"""Questions to a release at every moment of its way, and what happens when the answer is wrong."""

import pytest

from delivery.errors import Misconfigured, Rejected, ReleaseUnhealthy
from delivery.report.markdown import report_markdown
from flows.rollback import rollback
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

CANARY = {"canary": {"percent": 10, "hold_seconds": 1}}
PAGE = {"http": {"path": "/"}}
HERE = "memory://shop/production"


def checked(platform, *checks, acceptance=()):
    """Describe production with checks; release 1 is live there already."""
    production = {"target": MEMORY, "shift": CANARY, "checks": list(checks), "acceptance": list(acceptance)}
    platform.describe(
        environments={"production": production}, suites={"unit": {"image": "web"}, "smoke": {"image": "web"}}
    )


@pytest.fixture
def live(platform):
    platform.put_live(1)
    return platform.release(1)


def weights_when(platform, what):
    """Return the shares of the new release at each call of `what` that a check makes."""
    seen = []
    platform.containers.during[what] = lambda: seen.append(
        platform.host().observe().slot_of(platform.release(2)).weight
    )
    return seen


def test_every_check_passes_and_is_on_record(platform):
    checked(platform, {"at": "before"} | PAGE, {"at": "between", "suite": "smoke"}, {"at": "after"} | PAGE)

    run = platform.deliver()

    record = platform.record(run.id)
    assert [(one.at, one.label, one.passed) for one in record.checks] == [
        ("before", "GET /", True),
        ("between", "suite smoke", True),
        ("after", "GET /", True),
    ]
    assert "## Checks" in report_markdown(record)


@pytest.mark.parametrize(
    ("moment", "address", "weight"),
    [
        ("before", f"{HERE}/green", 0),
        pytest.param("between", f"{HERE}/green", 10, marks=pytest.mark.long),
        ("after", HERE, 100),
    ],
)
@pytest.mark.parametrize("kind", ["suite", "command"])
def test_a_program_is_told_where_the_release_is(platform, live, moment, address, weight, kind):
    question = {"suite": "smoke"} if kind == "suite" else {"command": {"image": "curl:8"}}
    checked(platform, {"at": moment} | question)
    weights = weights_when(platform, f"smoke {address}" if kind == "suite" else f"command curl:8 {address}")

    run = platform.put_live(2)

    assert run.state.is_completed(), run.ended
    assert weights == [weight]


@pytest.mark.parametrize(
    ("moment", "error", "shifted"),
    [("before", Rejected, 0), ("between", ReleaseUnhealthy, 1), ("after", ReleaseUnhealthy, 2)],
)
def test_a_release_that_answers_wrongly_is_withdrawn(platform, live, moment, error, shifted):
    checked(platform, {"at": moment} | PAGE)
    new = platform.release(2)
    platform.behaviour().answers[new.fingerprint, "/"] = 404

    run = platform.put_live(2)

    assert type(run.error) is error
    assert f"the check of release {new.fingerprint}" in str(run.error)
    assert str(run.error).endswith("failed: GET / answers 404, not 200")
    assert platform.live() == live
    assert platform.host().observe().slot_of(new) is None
    shifts = [entry for entry in platform.journal().entries(2) if (entry.verb, entry.stage) == ("shift", "done")]
    assert len(shifts) == shifted


def test_a_failing_suite_before_traffic_stops_a_delivery_with_exit_code_1(platform):
    platform.deliver()
    live = platform.live()
    checked(platform, {"at": "before", "suite": "smoke"})
    platform.containers.outcomes["smoke"] = "failed"

    run = platform.deliver()

    assert run.ended[0] == "Rejected"
    assert "smoke: failed" in run.ended[1]
    assert "adds up" in run.ended[1]
    assert platform.live() == live


@pytest.mark.long
def test_a_failing_command_withdraws_what_has_traffic(platform):
    platform.deliver()
    live = platform.live()
    checked(platform, {"at": "between", "command": {"image": "curl:8", "command": ["curl", "-f"]}})
    platform.containers.complaints["curl:8"] = "not found"

    run = platform.deliver()

    assert run.ended[0] == "Withdrawn"
    assert "between two steps failed: ended with exit code 22; its last lines:\nnot found" in run.ended[1]
    assert platform.live() == live


@pytest.mark.parametrize(
    "refusal", [Rejected("the Docker engine refused: no such program"), Misconfigured("image", "x")]
)
def test_a_check_that_cannot_be_run_is_no_pass(platform, live, refusal):
    checked(platform, {"at": "after", "command": {"image": "curl:8"}})
    platform.containers.fail(f"command curl:8 {HERE}", refusal)

    run = platform.put_live(2)

    assert str(refusal) in str(run.error)
    assert platform.live() == live


@pytest.mark.long
def test_acceptance_comes_after_the_checks(platform, live):
    checked(platform, {"at": "after"} | PAGE, acceptance=["smoke"])
    platform.behaviour().answers[platform.release(2).fingerprint, "/"] = 500

    platform.put_live(2)

    assert platform.containers.calls["accept production"] == 0


@pytest.mark.long
def test_a_rollback_is_checked_by_all_but_suites(platform, live):
    checked(platform, {"at": "before", "suite": "smoke"}, {"at": "before"} | PAGE)
    first, second = platform.release(3), platform.release(4)
    platform.put_live(3)
    platform.put_live(4)
    platform.containers.calls.clear()
    platform.behaviour().answers[first.fingerprint, "/"] = 500

    run = platform.run(rollback, {"app": "shop", "release": first.fingerprint})

    assert run.ended[0] == "Rejected"
    assert "GET / answers 500, not 200" in run.ended[1]
    assert platform.live() == second
    assert not any(call.startswith("smoke") for call in platform.containers.calls)


@pytest.mark.long
def test_a_suite_that_checks_releases_is_no_part_of_the_matrix(platform):
    checked(platform, {"at": "before", "suite": "smoke"})

    run = platform.deliver()

    assert [one.cell.suite for one in platform.record(run.id).cells] == ["unit"]
    assert platform.containers.calls[f"smoke {HERE}/green"] + platform.containers.calls[f"smoke {HERE}/blue"] == 1

"""Why a run stopped is told with its gate, what was found, what is allowed, the evidence and the next step."""

import pytest
from prefect.client.orchestration import get_client

from delivery.scanning.findings import Finding
from flows import runs
from flows.deliver import deliver
from flows.standing import standing
from flows.telling import difference, explanation, log_of
from tests.flows.fakes import CRITICAL
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def explained(run):
    return explanation(runs.look(run.id, steps=False))


def test_a_finding_is_told_with_the_policy_and_where_the_scan_is(platform):
    platform.containers.findings["web"] = (CRITICAL,)

    run = platform.deliver()

    told = explained(run)
    assert (told.outcome, told.gate, told.step) == ("rejected", "scan", "check findings")
    assert "CVE-2030-1 in libweb 1.0 (fixed in 1.1)" in told.found[0]
    assert told.allowed == "no finding of scan.block (CRITICAL, HIGH), secrets: block"
    assert told.evidence[0] == platform.archive.store.locate(f"runs/{run.id}/scan")
    assert told.evidence[-1] == platform.record(run.id).report
    assert told.next_steps[0].startswith("remove or update it, or waive it under scan.waivers")


def test_what_users_saw_is_told_with_the_limits_of_the_file(platform):
    platform.put_live(1)
    behaviour, live = platform.behaviour(), platform.live()
    behaviour.during = lambda verb: behaviour.error_percent.update(
        {slot.release.fingerprint: 40 for slot in platform.host().observe().slots if slot.release not in (None, live)}
    )

    run = platform.deliver()

    told = explained(run)
    assert (told.outcome, told.gate) == ("withdrawn", "live traffic")
    assert told.meaning == "the release was unhealthy, and what was live before has the traffic"
    assert "requests failed" in told.found[0]
    assert told.allowed == "at most 1 % errors, 3 times as slow as before (watch)"
    assert f"headway log {run.id[:8]}" in told.next_steps


@pytest.mark.long
@pytest.mark.parametrize(
    ("described", "gate", "said"),
    [
        ({"parallel_cells": 2}, "tests", "unit: failed"),
        ({"hooks": {"before_release": [{"image": "ask:1"}]}}, "hooks", "it is Friday"),
        (
            {
                "environments": {
                    "production": {"target": MEMORY, "checks": [{"at": "before", "command": {"image": "ask:1"}}]}
                }
            },
            "checks",
            "it is Friday",
        ),
    ],
    ids=["tests", "hooks", "checks"],
)
def test_each_gate_is_told_by_its_name(platform, described, gate, said):
    platform.describe(**described)
    platform.containers.complaints["ask:1"] = "it is Friday"
    if gate == "tests":
        platform.containers.outcomes["unit"] = "failed"

    told = explained(platform.deliver())

    assert (told.outcome, told.gate) == ("rejected", gate)
    assert said in " ".join(told.found)


@pytest.mark.long
def test_a_run_that_waits_is_told_with_the_commands_that_answer(platform):
    asked = {"production": {"target": MEMORY, "approval": {"by": "person"}}}
    platform.describe(environments=asked)
    seen = []

    def act(run):
        view = runs.look(run, steps=False)
        seen.extend((explanation(view), standing("shop", 5)))
        runs.answer(view, "reject", "ada", "not on a Friday")

    run = platform.deliver_while(act)

    waiting, all_of_it = seen
    after = explained(run)
    assert (waiting.meaning, waiting.gate) == ("it waits for an answer", "approval")
    assert waiting.next_steps == (f"headway approve {run.id[:8]}", f"headway reject {run.id[:8]}")
    assert [one.id for one in all_of_it.waiting] == [run.id]
    assert (after.gate, after.found) == ("approval", ("ada rejected it: not on a Friday",))


@pytest.mark.long
def test_a_run_that_nobody_carries_waits_for_a_worker(platform):
    run = platform.create(deliver, {"project": str(platform.project)})

    told = explanation(runs.look(run, steps=False))

    assert told.meaning == "it waits for a worker"
    assert "headway doctor" in told.next_steps


def test_a_run_and_its_release_are_told_and_what_the_next_one_changes(platform):
    first = platform.deliver()
    live = platform.live()
    platform.containers.findings["web"] = (Finding(kind="vulnerability", id="CVE-1", severity="LOW", package="zip"),)
    platform.describe(services={"web": {"port": 8000, "env": {"TOKEN": "canary-of-a-value"}}})
    platform.commit("Add a token")
    platform.deliver()

    told = difference("shop", live.fingerprint, "production")
    log = log_of(runs.look(first.id, steps=False))

    assert explained(first).next_steps == ("headway status --app shop",)
    assert (log.outcome, log.steps[0].phase, log.steps[0].outcome) == ("delivered", "deliver", "done")
    assert [(one.name, one.how) for one in told.images] == [("web", "changed")]
    assert [(one.key, one.how) for one in told.keys] == [("services.web.env.TOKEN", "added")]
    assert told.new_findings == ("web LOW CVE-1 zip",)
    assert "canary-of-a-value" not in told.model_dump_json()


@pytest.mark.long
def test_who_asked_for_a_run_is_told_of_it_and_of_what_it_made_live(platform):
    with get_client(sync_client=True) as client:
        parameters = {"project": str(platform.project)}
        run = str(client.create_flow_run(deliver, parameters=parameters, tags=["by:ada"]).id)
    platform.carry(deliver, run)

    (view,) = standing("shop", 5).environments
    assert (view.who.requested_by, platform.record(run).requested_by) == ("ada", "ada")
    assert view.since
    assert view.frozen is None

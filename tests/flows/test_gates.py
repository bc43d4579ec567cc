"""What keeps a revision out, and that production does not notice."""

from functools import partial

import pytest

from delivery.errors import Misconfigured, Rejected, Transient
from delivery.ports.registry import Registry
from delivery.scanning.findings import FIX_UNKNOWN, Finding, RegistryScan
from flows import runs
from flows.deliver import deliver as delivery
from tests.flows.fakes import CRITICAL
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def test_a_failing_test_keeps_the_revision_out(platform):
    platform.deliver()
    before = platform.host().observe()
    platform.commit("Break")
    platform.containers.outcomes["unit"] = "failed"

    run = platform.deliver()

    name, message = run.ended
    assert run.state.is_failed()
    assert name == "Rejected"
    assert "unit: failed" in message
    assert "adds up" in message
    assert "logs:" in message
    assert platform.host().observe() == before
    assert platform.record(run.id).outcome == "rejected"
    assert platform.record(run.id).reason == message


@pytest.mark.long
@pytest.mark.usefixtures("steps_are_kept")
def test_a_cell_that_failed_is_seen_as_failed_and_the_others_run_on(platform):
    platform.describe(suites={"unit": {"image": "web", "shards": 2}, "lint": {"image": "web"}, "api": {"image": "web"}})
    platform.containers.outcomes |= {"unit": "failed", "api": "no-tests"}

    run = platform.deliver()

    platform.until(lambda: all(step.has_ended for step in runs.look(run.id).steps))
    steps = {step.name: (step.state, step.kind) for step in runs.look(run.id).steps}
    cells = {cell: steps[cell] for cell in ("unit 1/2", "unit 2/2", "lint", "api")}
    assert cells == {
        "unit 1/2": ("failed", "FAILED"),
        "unit 2/2": ("failed", "FAILED"),
        "lint": ("completed", "COMPLETED"),
        "api": ("failed", "FAILED"),
    }
    assert "tests: 3 of 4 cells did not pass" in run.ended[1]
    assert all(f"{name}: " in run.ended[1] for name in ("unit 1/2", "unit 2/2", "api"))
    record = platform.record(run.id)
    assert {cell.cell.name: cell.outcome for cell in record.cells} == {
        "unit 1/2": "failed",
        "unit 2/2": "failed",
        "lint": "passed",
        "api": "no-tests",
    }
    assert {step.name: step.outcome for step in record.steps if step.name in cells} == {
        **dict.fromkeys(("unit 1/2", "unit 2/2", "api"), "failed"),
        "lint": "done",
    }


@pytest.mark.long
def test_a_cell_that_failed_is_not_tried_again_as_an_error_is(platform):
    platform.containers.outcomes["unit"] = "failed"

    platform.deliver()

    assert platform.containers.calls["test unit"] == 1


def test_a_run_that_starts_again_repeats_the_cells_that_failed_alone(platform):
    platform.describe(suites={"unit": {"image": "web"}, "lint": {"image": "web"}})
    platform.containers.outcomes["unit"] = "failed"
    run = platform.deliver()
    platform.containers.outcomes.clear()

    again = platform.carry_again(delivery, run.id)

    assert again.state.is_completed(), again.ended
    assert platform.containers.calls["test unit"] == 2
    assert platform.containers.calls["test lint"] == 1
    assert [cell.outcome for cell in platform.record(run.id).cells] == ["passed", "passed"]


@pytest.mark.long
def test_what_a_cell_remarks_is_told_as_a_warning(platform):
    platform.containers.remarks["unit"] = ("the log may lack its beginning",)

    run = platform.deliver()

    said = "unit: the log may lack its beginning"
    platform.until(lambda: said in runs.look(run.id).warnings)


def test_a_finding_that_the_policy_blocks_keeps_the_revision_out(platform):
    platform.containers.findings["web"] = (CRITICAL,)

    run = platform.deliver()

    assert run.ended[0] == "Rejected"
    assert "1 critical vulnerability, 0 allowed; first: CVE-2030-1 in libweb 1.0 (fixed in 1.1)" in run.ended[1]
    assert platform.live() is None


@pytest.mark.long
def test_tests_and_scan_both_say_why(platform):
    platform.containers.findings["web"] = (CRITICAL,)
    platform.containers.outcomes["unit"] = "no-tests"

    run = platform.deliver()

    assert run.ended[0] == "Rejected"
    assert "CVE-2030-1" in run.ended[1]
    assert "unit: no-tests" in run.ended[1]
    assert platform.containers.published == []


def test_that_no_scan_could_tell_is_known_before_anything_is_built(platform):
    platform.containers.database_status = "missing"

    run = platform.deliver()

    assert run.ended[0] == "Rejected"
    assert "scan.when_inconclusive: block: every scan of this run would be inconclusive" in run.ended[1]
    assert "there is no vulnerability database" in run.ended[1]
    assert "next: make a database reachable (scan.database)" in run.ended[1]
    assert [name for name in platform.containers.calls if name.startswith(("build", "test"))] == []


def test_a_scan_that_cannot_tell_keeps_the_revision_out(platform):
    containers = platform.containers
    containers.during["build web"] = lambda: setattr(containers, "database_status", "missing")

    run = platform.deliver()

    assert run.ended[0] == "Rejected"
    assert "the scan is inconclusive" in run.ended[1]


@pytest.mark.long
def test_a_scan_that_cannot_tell_passes_where_the_policy_says_so_and_is_no_pass(platform):
    platform.describe(scan={"when_inconclusive": "allow"})
    platform.containers.database_status = "missing"

    run = platform.deliver()

    scans = [found.outcome for found in platform.archive.evidence(platform.live()) if found.kind == "scan"]
    assert run.state.is_completed(), run.ended
    assert scans == ["inconclusive"]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Rejected("images.web: no such instruction: RNU\n  full log: /logs/web.log"), "Rejected"),
        (Misconfigured("headway.yaml: images.web.target", "no stage prod", "deps, test"), "Rejected"),
        (Transient("pushing web: is the registry up?"), "Rejected"),
    ],
    ids=["does-not-build", "is-no-stage", "is-not-pushed"],
)
def test_images_that_do_not_build_are_all_told(platform, error, state):
    platform.describe(images={"web": {}, "worker": {}})
    platform.containers.fail("build web", *[error] * 4)
    platform.containers.fail("build worker", Rejected("images.worker: exit code 1\n  full log: /logs/worker.log"))

    run = platform.deliver()

    assert run.ended == (state, f"{error}\nimages.worker: exit code 1\n  full log: /logs/worker.log")
    assert platform.containers.calls["test unit"] == 0


@pytest.mark.long
def test_mistakes_in_two_images_are_told_as_mistakes(platform):
    platform.describe(images={"web": {}, "worker": {}})
    for name in ("web", "worker"):
        platform.containers.fail(f"build {name}", Misconfigured(f"headway.yaml: images.{name}.target", "no stage prod"))

    run = platform.deliver()

    assert run.ended == (
        "Misconfigured",
        "2 mistakes: \n  headway.yaml: images.web.target: no stage prod\n"
        "  headway.yaml: images.worker.target: no stage prod",
    )


def test_a_mistake_in_the_file_is_told_before_anything_is_built(platform):
    platform.describe(environments={"production": {"target": MEMORY, "watch": {"max_error_percent": 250}}})

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert "environments.production.watch.max_error_percent: found 250" in run.ended[1]
    assert platform.containers.calls["build web"] == 0
    assert platform.record(run.id).outcome == "misconfigured"


def test_an_environment_that_is_not_there_is_told_with_those_that_are(platform):
    run = platform.deliver(environment="moon")

    assert run.ended == ("Misconfigured", "headway.yaml: environments.moon: there is none; allowed: production")


def test_a_release_that_is_rejected_in_staging_never_reaches_production(platform):
    staging = {"target": MEMORY, "acceptance": ["smoke"]}
    platform.describe(
        environments={"staging": staging, "production": {"target": MEMORY, "after": "staging"}},
        suites={"smoke": {"image": "web"}},
    )
    platform.containers.outcomes["smoke"] = "failed"

    run = platform.deliver()

    assert run.ended[0] == "Rejected"
    assert platform.live("staging") is None
    assert platform.live() is None
    assert platform.happenings("staging") == ["withdrawn"]


@pytest.mark.long
def test_trouble_that_stays_ends_the_run_in_its_words(platform):
    platform.containers.fail("publish", *[Transient("the registry did not answer")] * 4)

    run = platform.deliver()

    assert run.ended == ("Rejected", "the registry did not answer")
    assert platform.containers.calls["publish"] == 4


def test_a_fault_of_headway_itself_is_no_rejection(platform):
    platform.containers.fail("build web", ZeroDivisionError("a mistake in Headway"))

    run = platform.deliver()

    assert run.ended[0] == "Failed"
    assert platform.record(run.id).outcome == "failed"


def test_a_registry_without_a_scan_is_told_before_anything_is_built(platform):
    platform.describe(scan={"registry": "add"})

    run = platform.deliver()

    assert "scan.registry: add, but the registry registry:5000 has no scan of its own" in run.ended[1]
    assert [name for name in platform.containers.calls if name.startswith(("build", "test"))] == []


def test_what_the_registry_alone_found_keeps_the_revision_out(platform, monkeypatch):
    found = Finding(kind="vulnerability", id="CVE-2026-9", severity="HIGH", package="nginx", fixed_version=FIX_UNKNOWN)
    scanning = Registry(partial(str, "registry:5000"), findings=lambda _: RegistryScan(findings=(found,)))
    monkeypatch.setattr("tasks.scan.current_registry", lambda: scanning)
    platform.describe(scan={"registry": "add"})

    run = platform.deliver()

    assert run.ended[0] == "Rejected"
    assert "1 high vulnerability, 0 allowed; first: CVE-2026-9 in nginx" in run.ended[1]

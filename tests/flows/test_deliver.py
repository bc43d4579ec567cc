"""A revision on its way into production, as a user sees it."""

import errno
import shutil
from pathlib import Path

import pytest
import yaml

from bench.scenarios import without_waiting
from blocks.artifact_store import current_store
from delivery.changes.heartbeat import FolderHeartbeats
from delivery.errors import Rejected, Transient
from delivery.ports.store import FolderStore
from delivery.report.html import report_html
from tests.flows.platform import MEMORY, artifacts

EXAMPLE = Path(__file__).parents[2] / "examples" / "taskmanager"
pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

ON_THE_WAY = {
    "staging": {"target": MEMORY, "acceptance": ["smoke"]},
    "production": {"target": MEMORY, "after": "staging"},
}
SUITES = {"unit": {"image": "web"}, "smoke": {"image": "web"}}


@pytest.mark.parametrize("platform", ["folder"], indirect=True)  # it looks at the files
def test_a_good_revision_goes_through_staging_into_production(platform, monkeypatch):
    monkeypatch.setattr("tasks.report.report_html", report_html)
    platform.describe(environments=ON_THE_WAY, suites=SUITES)

    run = platform.deliver()

    record = platform.record(run.id)
    assert run.state.is_completed(), run.ended
    assert platform.live().fingerprint == platform.live("staging").fingerprint == record.release.fingerprint
    assert platform.live().revision.sha == platform.git("rev-parse", "HEAD")
    assert platform.containers.calls["accept staging"] == 1
    assert (record.outcome, [figures.environment for figures in record.releases]) == (
        "delivered",
        ["staging", "production"],
    )
    assert "<html" in Path(record.report).read_text()


@pytest.mark.long
def test_no_test_waits_for_an_image_that_only_staging_needs(platform):
    platform.describe(environments=ON_THE_WAY, suites=SUITES | {"smoke": {"build": {}}})
    calls = platform.containers.calls
    platform.containers.during["build suite-smoke"] = lambda: platform.until(lambda: calls["test unit"])

    run = platform.deliver()

    assert run.state.is_completed(), run.ended
    assert calls["accept staging"] == 1
    steps = {step.name: step for step in platform.record(run.id).steps}
    assert steps["build suite smoke"].phase == "build acceptance"


def test_an_image_that_only_staging_needs_takes_its_turn_after_those_that_tests_wait_for(platform):
    suites = {"unit": {"build": {}}, "smoke": {"build": {}}}
    platform.describe(environments=ON_THE_WAY, suites=suites, parallel_builds=1)

    run = platform.deliver()

    assert run.state.is_completed(), run.ended
    built = [call for call in platform.containers.calls if call.startswith("build ")]
    assert (len(built), built[-1]) == (3, "build suite-smoke")


@pytest.mark.long
def test_an_image_that_only_staging_needs_keeps_the_revision_out_when_it_cannot_be_built(platform):
    platform.describe(environments=ON_THE_WAY, suites=SUITES | {"smoke": {"build": {}}})
    platform.containers.fail("build suite-smoke", Rejected("there is no such stage"))

    run = platform.deliver()

    assert run.ended[0] == "Rejected"
    assert "there is no such stage" in run.ended[1]
    assert (platform.containers.published, platform.live("staging")) == ([], None)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"shift": {"steps": [{"percent": 10}]}}, "the last step must be 100 percent (found 10)"),
        pytest.param(
            {"shift": {"canary": {"percent": 10}}, "target": {}},
            "too short to see lost health (found hold_seconds 0)",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"shift": "Canary10Percent6Minutes"},
            "unknown shift plan (found Canary10Percent6Minutes); did you mean",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_plan_that_cannot_be_followed_touches_nothing(platform, environment, said):
    platform.deliver()
    live = platform.live()
    platform.describe(environments={"production": {"target": MEMORY} | environment})

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert "headway.yaml: environments.production.shift: " in run.ended[1]
    assert said in run.ended[1]
    assert platform.live() == live
    assert platform.containers.calls["build web"] == 1


@pytest.fixture(scope="module")
def delivered(make_platform, tmp_path_factory):
    """A platform and the run that delivered to it for the first time."""
    with make_platform(tmp_path_factory.mktemp("delivered")) as platform:
        yield platform, platform.deliver()


class TestDelivered:
    def test_every_step_is_on_record(self, delivered):
        platform, run = delivered

        steps = {step.name: step for step in platform.record(run.id).steps}
        assert {"check out HEAD", "build web", "scan web", "unit", "publish release", "shift to 100 %"} <= set(steps)
        assert {step.outcome for step in steps.values()} == {"done"}
        assert steps["unit"].phase == "test matrix"

    def test_nothing_of_the_run_itself_stays(self, delivered):
        platform, run = delivered

        assert platform.containers.removed == [run.id]
        assert not (platform.home.work / run.id / "source").exists()
        assert FolderHeartbeats(platform.home.heartbeats).find(run.id) is None
        assert not platform.leases.read("shop", "production").holder

    def test_report_and_change_are_shown_beside_the_run(self, delivered):
        _, run = delivered

        shown = artifacts(run.id)
        assert "change-shop-production" in shown
        assert "delivered" in shown[f"report-{run.id[:8]}"].lower()

    def test_the_release_is_kept_with_its_evidence(self, delivered):
        platform, _ = delivered

        release = platform.live()
        assert [(found.kind, found.outcome) for found in platform.archive.evidence(release)] == [
            ("scan", "pass"),
            ("tests", "pass"),
            ("approval", "pass"),
        ]
        assert platform.containers.published == [release.fingerprint]
        assert platform.happenings() == ["released"]

    def test_nobody_asked_is_on_record_as_unattended(self, delivered):
        platform, run = delivered

        [decision] = platform.record(run.id).decisions
        assert decision.unattended
        assert decision.approver == "policy"

    def test_the_same_revision_again_changes_nothing(self, delivered):
        platform, _ = delivered

        again = platform.deliver()

        assert again.state.is_completed()
        assert again.ended == ("Unchanged", f"{platform.live().fingerprint} is live already, made from the same files")
        assert platform.containers.calls["build web"] == 1
        assert platform.record(again.id).outcome == "unchanged"

    def test_the_next_revision_takes_the_place_of_the_last(self, delivered):
        platform, _ = delivered
        first = platform.live()
        revision = platform.commit("Improve")

        platform.deliver()

        state = platform.host().observe()
        assert state.live.release.revision.sha == revision
        assert state.slot_of(first) is None
        assert platform.happenings() == ["released", "released"]


@pytest.mark.long
def test_a_project_that_was_delivered_before_need_not_be_named(platform):
    platform.home.root.mkdir(exist_ok=True)
    platform.home.project.write_text(str(platform.project))

    assert platform.deliver(project=None).state.is_completed()


def test_trouble_that_passes_does_not_cost_the_delivery(platform):
    platform.containers.fail("publish", Transient("the registry did not answer"))

    run = platform.deliver()

    steps = [step for step in platform.record(run.id).steps if step.name == "publish release"]
    assert run.state.is_completed(), run.ended
    assert [(step.outcome, step.attempts) for step in steps] == [("failed", 1), ("done", 2)]


@pytest.mark.parametrize("platform", ["folder"], indirect=True)  # it looks at the files
def test_a_run_that_meets_a_full_disk_is_rejected_with_folder_and_next_step(platform, monkeypatch):
    def full(self: FolderStore, key: str, content: bytes) -> str:
        raise OSError(errno.ENOSPC, "No space left on device", self.locate(key))

    monkeypatch.setattr(FolderStore, "put", full)

    state, message = platform.deliver().ended

    assert state == "Rejected"
    assert f"{platform.home.store}/" in message
    assert "cannot be written: the disk is full" in message
    assert "  next: free space in" in message


@pytest.mark.long
def test_a_run_without_report_still_ends_as_it_ended(platform, monkeypatch):
    def unwritable(self: object, **_: object) -> str:
        raise OSError("no space left on device")

    monkeypatch.setattr("tasks.report.report_html", unwritable)

    run = platform.deliver()

    assert run.state.is_completed(), run.ended
    assert platform.live() is not None
    assert FolderHeartbeats(platform.home.heartbeats).find(run.id) is None
    assert any("/steps/" in key for key in current_store().keys(f"runs/{run.id}"))


@pytest.mark.long
def test_the_example_is_delivered_without_waiting_as_the_bench_of_orchestration_does(platform):
    description = yaml.safe_load((EXAMPLE / "headway.yaml").read_text())
    shutil.copytree(EXAMPLE, platform.project, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    platform.describe(**without_waiting(description))

    run = platform.deliver(environment="production")

    assert run.ended[0] == "Completed", run.ended

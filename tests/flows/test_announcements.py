"""GitHub is told how far a run is, beside the run: whatever GitHub does, the run goes its way."""

from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Running
from pydantic import SecretStr

from blocks.artifact_store import current_store
from blocks.secret_block import remove_secret, save_secret
from delivery.errors import Transient
from delivery.releases.run_names import delivery_name
from flows import runs
from flows.deliver import deliver
from flows.examine import examine
from flows.recover import recover
from flows.rollback import rollback
from tasks import announcements
from tasks.notes import note
from tests.flows.fakes import CRITICAL
from tests.flows.platform import MEMORY
from tests.support.github import REPOSITORY, TOKEN, fake_github
from tests.support.heartbeats import died

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.xdist_group("prefect"),
    pytest.mark.parametrize("platform", ["folder"], indirect=True),
]
STAGED = {"staging": {"target": MEMORY}, "production": {"target": MEMORY, "after": "staging"}}


@pytest.fixture
def github(server):
    with fake_github() as fake:
        save_secret("github-token", SecretStr(TOKEN))
        yield fake
        remove_secret("github-token")


@pytest.fixture
def shop(platform, github):
    """An application that tells GitHub, on its way to production over staging; its commit is a pull request's."""
    settings = {"repository": REPOSITORY, "token": "github-token", "api_url": github.url}
    platform.describe(github=settings, environments=STAGED)
    github.open_pull(7, platform.git("rev-parse", "HEAD"))
    return platform


def ends(github, part):
    return github.told(part)[-1]


def warnings(run):
    return " ".join(runs.look(run.id).warnings)


def test_a_delivery_is_seen_on_github_phase_by_phase(shop, github):
    run = shop.deliver()

    phases = [github.told(part)[-1] for part in ("build", "scan", "tests", "publish")]
    assert phases == [("success", "passed")] * 4
    assert ends(github, "production") == ends(github, "staging") == ("success", "live")
    assert github.told("production")[0] == ("pending", "not begun")
    assert github.went("staging") == github.went("production") == [["in_progress", "success"]]
    (body,) = github.bodies()
    assert delivery_name("shop", shop.git("rev-parse", "--short=7", "HEAD"), "production") in body
    assert {one["target_url"].partition("/runs/flow-run/")[2] for one in github.statuses} == {run.id}
    assert run.ended[0] == "Completed"
    kept = [current_store().get(key) for key in current_store().keys(f"runs/{run.id}")]
    assert len(kept) > 5
    assert [one for one in kept if TOKEN.encode() in one] == []
    assert TOKEN not in str([github.statuses, github.bodies(), github.deployments, github.states])


def test_a_gate_that_says_no_is_a_failure_and_production_was_never_deployed_to(shop, github):
    shop.containers.findings["web"] = [CRITICAL]

    shop.deliver()

    assert ends(github, "scan")[0] == "failure"
    assert "critical" in ends(github, "scan")[1].lower()
    state, text = ends(github, "production")
    assert (state, text.partition(":")[0]) == ("failure", "rejected")
    assert github.deployments == {}
    assert "| production | failed |" in github.bodies()[0]


@pytest.mark.long
def test_a_release_that_is_withdrawn_is_a_failed_deployment(shop, github):
    behaviour = shop.behaviour()
    behaviour.during = lambda verb: behaviour.never_healthy.update(shop.containers.published)

    run = shop.deliver()

    assert run.ended[0] == "Withdrawn"
    assert ends(github, "production")[1].startswith("withdrawn: ")
    assert github.went("production") == [["in_progress", "failure"]]
    assert github.went("staging") == [["in_progress", "success"]]


@pytest.mark.long
def test_a_delivery_that_waits_for_a_person_says_so_on_github(shop, github):
    person = {"target": MEMORY, "approval": {"by": "person", "timeout_seconds": 60}}
    settings = shop.app.github.model_dump(mode="json")
    shop.describe(github=settings, environments={"production": person})

    def look_and_reject(run):
        shop.until(lambda: github.went("production") == [["queued"]])
        shop.until(lambda: github.told("production")[-1] == ("pending", "waits for approval"))
        runs.answer(runs.look(run), "reject", "ann@example.com", "not today")

    shop.deliver_while(look_and_reject)

    assert github.went("production") == [["queued", "failure"]]
    assert "not today" in ends(github, "production")[1]


@pytest.mark.long
def test_what_is_live_already_is_no_second_deployment(shop, github):
    shop.deliver()

    again = shop.deliver()

    assert again.ended[0] == "Unchanged"
    assert ends(github, "production") == ("success", "live already, made from the same files")
    assert len(github.went("production")) == 1


@pytest.mark.long
def test_a_rollback_is_a_deployment_of_the_earlier_commit_and_ends_the_one_before(shop, github):
    first = shop.git("rev-parse", "HEAD")
    shop.deliver()
    shop.commit("Change")
    shop.deliver()

    shop.run(rollback, {"app": "shop"})

    went = github.went("production")
    assert [one[-1] for one in went] == ["inactive", "inactive", "success"]
    last = github.deployments[max(github.deployments)]
    assert (last["sha"], last["task"]) == (first, "deploy:rollback")


@pytest.mark.parametrize(
    "trouble",
    ["down", *(pytest.param(one, marks=pytest.mark.long) for one in ("limited", "no such token", "no rights"))],
)
def test_whatever_github_does_the_delivery_goes_its_way_and_warns(shop, github, trouble):
    match trouble:
        case "down":
            github.is_down = True
        case "limited":
            github.limited = [3600] * 100
        case "no such token":
            remove_secret("github-token")
        case "no rights":
            github.rights = set()

    run = shop.deliver()

    assert run.ended[0] == "Completed"
    assert shop.live().revision.sha == shop.git("rev-parse", "HEAD")
    shop.until(lambda: "GitHub was not told how far this run is" in warnings(run))
    assert github.statuses == []


@pytest.mark.long
def test_a_github_that_answers_nobody_does_not_hold_up_a_delivery(shop, github, monkeypatch):
    monkeypatch.setattr(announcements, "LAST_SECONDS", 0.1)
    github.held.clear()

    run = shop.deliver()
    github.held.set()

    assert run.ended[0] == "Completed"
    shop.until(lambda: "was not told in time" in warnings(run))


@pytest.mark.long
def test_a_github_that_comes_back_hears_how_it_ended(shop, github):
    github.is_down = True
    shop.containers.during["publish"] = lambda: setattr(github, "is_down", False)

    shop.deliver()

    assert ends(github, "production") == ("success", "live")
    assert github.went("production")[0][-1] == "success"


@pytest.mark.long
def test_a_run_that_died_is_an_error_on_github(shop, github, monkeypatch):
    monkeypatch.setattr("tasks.recover.REPORT_SECONDS", 0)
    run = shop.create(deliver, {"project": str(shop.project)})
    note(run, "order", "production", shop.order(run))
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(run), Running(), force=True)
    died(shop.home.heartbeats, run, attempts=2)

    shop.run(recover, {})

    assert ends(github, "production")[0] == "error"
    assert "its process died" in ends(github, "production")[1]


@pytest.mark.long
def test_a_platform_that_is_slow_to_answer_itself_does_not_end_the_telling(shop, github, monkeypatch):
    troubles = [Transient("the Prefect server does not answer")]

    def load(name):
        if troubles:
            raise troubles.pop()
        return SecretStr(TOKEN)

    monkeypatch.setattr(announcements, "load_value", load)
    monkeypatch.setattr(announcements, "AGAIN_SECONDS", 0.1)

    shop.deliver()

    assert ends(github, "production") == ("success", "live")


@pytest.mark.long
def test_a_commit_that_is_only_examined_is_no_deployment(shop, github):
    sha = shop.git("rev-parse", "HEAD")
    shop.run(examine, {"project": str(shop.project), "revision": sha, "base": sha})

    assert ends(github, "proof") == ("success", "built, scanned and tested")
    assert ends(github, "tests")[0] == "success"
    assert github.told("production") == []
    assert github.deployments == {}
    assert "→ proof" in github.bodies()[0]


@pytest.mark.long
def test_nobody_is_asked_anything_where_the_file_names_no_github(platform, github):
    platform.deliver()

    assert github.asked == []

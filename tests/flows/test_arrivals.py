"""What arrived starts what headway.yaml says of it, once, and the newest commit alone."""

import importlib
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.cli.deploy._triggers import _create_deployment_triggers, _initialize_deployment_triggers
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId, DeploymentFilterName
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, Completed, Crashed, Failed

import flows.rollback
from blocks.artifact_store import current_store
from delivery.errors import Transient
from delivery.hooks.arrival import Arrival
from delivery.hooks.spool import Told
from delivery.hooks.started import Started, StartedDeliveries
from delivery.platform.forwarder import PrefectEvents
from delivery.platform.prefect_api import PrefectApi
from flows import gate, runs
from flows.arrivals import take_alarm, take_push
from flows.deliver import deliver
from flows.examine import examine
from flows.rollback import rollback
from tasks import arrivals
from tasks.run_control import create_run
from tests.flows.platform import MEMORY
from tests.flows.test_deployments import DEPLOYMENTS

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]
BRANCHES = {"branches": {"main": "production"}}


@pytest.fixture
def shop(platform):
    """An application that a push to main delivers."""
    with get_client(sync_client=True) as client:
        for flow in (deliver, rollback, examine):
            client.create_deployment(client.create_flow(flow), "by-event")
    platform.describe(repository=BRANCHES)
    yield platform
    with get_client(sync_client=True) as client:  # none waits for ever, which others could see
        for run in (*started(), *started("rollback"), *started("examine")):
            client.delete_flow_run(run.id)


def arrival(platform, sha="", **more):
    address = f"file://{platform.project}"
    fields = {"kind": "push", "ref": "refs/heads/main", "sha": sha, "connection": "shop", "delivery": uuid4().hex}
    return Arrival.model_validate(fields | {"received": datetime.now(UTC), "project": address, "app": "shop"} | more)


def take(platform, arrived, flow=take_push):
    return platform.run(flow, {"arrival": arrived.model_dump(mode="json")})


def started(flow="deliver"):
    """Return the runs that arrivals started in this test, the newest first."""
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=["by-event"])))
        return [run for run in found if client.read_flow(run.flow_id).name == flow]


@pytest.fixture
def before(shop):
    """What other tests started."""
    return {run.id for run in (*started(), *started("rollback"))}


def new(before, flow="deliver"):
    return sorted((run for run in started(flow) if run.id not in before), key=lambda run: run.created)


def test_a_push_delivers_its_commit_to_where_the_file_says(shop, before):
    sha = shop.commit("Sell more")

    run = take(shop, arrival(shop, sha))

    (one,) = new(before)
    assert run.ended == ("Completed", f"branch main goes to production: shop {sha[:7]} → production, run {one.id}")
    assert one.parameters == {"project": f"file://{shop.project}", "revision": sha, "environment": "production"}
    assert one.name == f"shop {sha[:7]} → production"


def test_an_arrival_that_is_taken_up_twice_delivers_once(shop, before):
    arrived = arrival(shop, shop.commit("Sell more"))

    ended = [take(shop, arrived).ended[0] for _ in range(2)]

    assert ended == ["Completed", "Skipped"]
    assert len(new(before)) == 1


def meanwhile(shop, sha, after=""):
    """Start a delivery of a commit as another arrival does, and return its run."""
    given = {"project": f"file://{shop.project}", "revision": sha, "environment": "production"}
    run = create_run("deliver/by-event", given, f"shop {sha[:7]} → production", uuid4().hex, [])
    fields = {"app": "shop", "environment": "production", "sha": sha, "run": run, "arrival": "another one"}
    one = Started.model_validate(fields | {"at": datetime.now(UTC), "after": after})
    assert StartedDeliveries(current_store(), "shop", "production").keep(one) == one
    return run


def once(monkeypatch, where, act):
    """Have something happen when a function is called for the first time, before it does anything."""
    module, _, name = where.rpartition(".")
    ours, acts = getattr(importlib.import_module(module), name), [act]

    def called(*arguments):
        if acts:
            acts.pop()()
        return ours(*arguments)

    monkeypatch.setattr(where, called)


@pytest.mark.parametrize(
    "moment", ["tasks.arrivals.create_run", pytest.param("flows.arrivals.start_delivery", marks=pytest.mark.long)]
)
def test_a_commit_that_comes_while_another_is_started_is_not_cancelled_for_it(shop, before, monkeypatch, moment):
    newer = []
    once(monkeypatch, moment, lambda: newer.append(meanwhile(shop, shop.commit("Two"))))

    run = take(shop, arrival(shop, shop.commit("One")))

    second = shop.git("rev-parse", "HEAD")
    assert run.ended == ("Skipped", f"run {newer[0][:8]} delivers {second[:7]} already")
    states = {str(one.id): one.state_name for one in new(before)}
    assert states.pop(newer[0]) == "Scheduled"
    assert set(states.values()) <= {"Cancelling", "Cancelled"}


@pytest.mark.long
def test_a_commit_that_came_after_the_repository_was_fetched_is_not_gone_back_from(shop, before, monkeypatch):
    newer = []
    once(monkeypatch, "tasks.arrivals.default_commit", lambda *_: newer.append(meanwhile(shop, shop.commit("Two"))))

    run = take(shop, arrival(shop, shop.commit("One")))

    assert run.ended[0] == "Skipped"
    assert [str(one.id) for one in new(before)] == newer


@pytest.mark.long
def test_what_is_newer_than_what_was_started_meanwhile_is_delivered_after_it(shop, before, monkeypatch):
    first, second = shop.commit("One"), shop.commit("Two")
    once(monkeypatch, "tasks.arrivals.create_run", lambda: meanwhile(shop, first))

    run = take(shop, arrival(shop, second, before=first))

    states = {one.parameters["revision"]: one.state_name for one in new(before)}
    assert run.ended[0] == "Completed"
    assert run.ended[1].endswith(f"skipped: {first}")
    assert states == {first: "Cancelled", second: "Scheduled"}


@pytest.mark.long
def test_a_start_that_is_tried_again_cancels_nothing_that_came_after_it(shop, before, monkeypatch):
    ours, tries, newer = arrivals.note, [], []

    def fails_once(run, *more):
        tries.append(run)
        if len(tries) == 1:
            newer.append(meanwhile(shop, shop.commit("Two"), after=run))
            raise Transient("the store does not answer")
        ours(run, *more)

    monkeypatch.setattr(arrivals, "note", fails_once)

    run = take(shop, arrival(shop, shop.commit("One")))

    assert run.ended[0] == "Completed"
    assert tries[0] == tries[1]
    assert {str(one.id): one.state_name for one in new(before)} == dict.fromkeys((tries[0], newer[0]), "Scheduled")


@pytest.mark.parametrize(
    "state", [Failed, *(pytest.param(one, marks=pytest.mark.long) for one in (Crashed, Cancelled))]
)
def test_what_a_run_did_not_get_live_is_delivered_when_it_is_told_of_again(shop, before, state):
    sha = shop.commit("Sell more")
    take(shop, arrival(shop, sha))
    end(new(before)[0].id, state())

    run = take(shop, arrival(shop, sha))

    assert run.ended[0] == "Completed"
    assert [one.parameters["revision"] for one in new(before)] == [sha, sha]


@pytest.mark.parametrize("name", ["Unchanged", pytest.param("Completed", marks=pytest.mark.long)])
def test_what_a_run_got_live_is_not_delivered_again(shop, before, name):
    sha = shop.commit("Sell more")
    take(shop, arrival(shop, sha))
    end(new(before)[0].id, Completed(name=name))

    assert take(shop, arrival(shop, sha)).ended[0] == "Skipped"


@pytest.mark.long
def test_files_of_a_push_whose_delivery_failed_count_with_the_next_one(shop, before):
    shop.describe(repository={**BRANCHES, "paths_ignore": ["*.md"]})
    first = shop.commit("Sell")
    take(shop, arrival(shop, first))
    end(new(before)[0].id, Failed())
    (shop.project / "README.md").write_text("Words")
    shop.git("add", "-A")
    shop.git("commit", "-q", "-m", "Words")

    run = take(shop, arrival(shop, shop.git("rev-parse", "HEAD"), before=first))

    assert run.ended[0] == "Completed"


def end(run, state):
    """Let a run end as if somebody had carried it."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, state, force=True)


def tagged(shop, tag, subject):
    """Commit, tag that, and have the tag delivered; return the commit."""
    sha = shop.commit(subject)
    shop.git("tag", tag)
    assert take(shop, arrival(shop, sha, kind="tag", ref=f"refs/tags/{tag}")).ended[0] == "Completed"
    return sha


def test_a_release_that_is_published_for_an_older_tag_takes_nothing_back(shop, before):
    shop.describe(repository={"tags": {"v*": "production"}})
    old = tagged(shop, "v1.0", "One")
    (first,) = new(before)
    end(first.id, Completed())
    tagged(shop, "v1.1", "Two")

    run = take(shop, arrival(shop, old, kind="release", ref="refs/tags/v1.0", action="published"))

    reason = f"run {str(first.id)[:8]} was started by v1.0 before, and others have come after it"
    assert run.ended == ("Skipped", reason)
    assert len(new(before)) == 2


@pytest.mark.long
def test_an_older_tag_that_was_never_delivered_is_delivered(shop, before):
    shop.describe(repository={"tags": {"v*": "production"}})
    old = tagged(shop, "v1.0", "One")
    end(new(before)[0].id, Failed())
    tagged(shop, "v1.1", "Two")

    run = take(shop, arrival(shop, old, kind="release", ref="refs/tags/v1.0", action="published"))

    assert run.ended[0] == "Completed"
    assert new(before)[-1].parameters["revision"] == old


def test_a_branch_cannot_say_that_it_is_delivered_itself(shop, before):
    shop.describe(repository={**BRANCHES, "after_workflow": "CI"})
    short = shop.git("rev-parse", "--short=7", "HEAD")
    shop.git("checkout", "-q", "-b", "feature/x")
    shop.describe(repository={"branches": {"feature/x": "production", "main": "production"}})
    sha = shop.git("rev-parse", "HEAD")
    shop.git("checkout", "-q", "main")

    run = take(shop, arrival(shop, sha, ref="refs/heads/feature/x"))

    said = "repository.branches has no pattern for branch feature/x"
    assert run.ended == ("Skipped", f"{said}; so says headway.yaml of the default branch, at {short}")
    assert new(before) == []


@pytest.mark.long
def test_a_tag_of_some_branch_goes_where_the_default_branch_says(shop, before):
    shop.describe(repository={"tags": {"v*": "production"}})
    shop.git("checkout", "-q", "-b", "release/1")
    shop.describe(repository={"tags": {"v*": "production", "mine": "production"}, "paths_ignore": ["**"]})
    sha = shop.git("rev-parse", "HEAD")
    shop.git("tag", "v1.0")
    shop.git("tag", "mine")
    shop.git("checkout", "-q", "main")

    ended = [take(shop, arrival(shop, sha, kind="tag", ref=f"refs/tags/{tag}")).ended for tag in ("mine", "v1.0")]

    assert [name for name, _ in ended] == ["Skipped", "Completed"]
    assert ended[0][1].startswith("repository.tags has no pattern for tag mine")
    assert [one.parameters["revision"] for one in new(before)] == [sha]


@pytest.mark.long
def test_a_workflow_that_a_branch_no_longer_waits_for_is_waited_for(shop, before):
    shop.describe(repository={"branches": {"main": "production", "release/*": "production"}, "after_workflow": "CI"})
    shop.git("checkout", "-q", "-b", "release/1")
    shop.describe(repository={"branches": {"release/*": "production"}})
    sha = shop.git("rev-parse", "HEAD")
    shop.git("checkout", "-q", "main")

    run = take(shop, arrival(shop, sha, ref="refs/heads/release/1"))

    assert run.ended[0] == "Skipped"
    assert "workflow CI has to succeed first" in run.ended[1]


@pytest.mark.long
def test_without_a_default_branch_nothing_is_started_and_what_to_do_is_said(shop, before):
    sha = shop.git("rev-parse", "HEAD")
    shop.git("symbolic-ref", "HEAD", "refs/heads/gone")

    name, message = take(shop, arrival(shop, sha)).ended

    assert name == "Misconfigured"
    assert "its HEAD names no branch" in message
    assert new(before) == []


def test_a_push_of_files_that_do_not_count_delivers_nothing_and_says_so(shop, before):
    shop.describe(repository={**BRANCHES, "paths_ignore": ["change.txt"]})
    old = shop.git("rev-parse", "HEAD")
    sha = shop.commit("Only words")

    run = take(shop, arrival(shop, sha, before=old))

    assert run.ended == ("Skipped", "only files have changed that repository.paths_ignore leaves out: change.txt")
    assert new(before) == []


@pytest.mark.long
def test_files_of_a_push_that_was_skipped_count_with_the_next_one(shop, before):
    shop.describe(repository={**BRANCHES, "paths_ignore": ["*.md"]})
    first = shop.commit("Sell")
    take(shop, arrival(shop, first))
    shop.commit("Sell more")
    words_before = shop.git("rev-parse", "HEAD")
    (shop.project / "README.md").write_text("Words")
    shop.git("add", "-A")
    shop.git("commit", "-q", "-m", "Words")
    last = shop.git("rev-parse", "HEAD")

    run = take(shop, arrival(shop, last, before=words_before))

    assert run.ended[0] == "Completed"
    assert [one.parameters["revision"] for one in new(before)] == [first, last]


def test_of_pushes_that_wait_the_newest_is_delivered_and_says_which_it_skips(shop, before):
    first = shop.commit("One")
    take(shop, arrival(shop, first))
    second, third = shop.commit("Two"), shop.commit("Three")

    late = take(shop, arrival(shop, second, before=first))
    last = take(shop, arrival(shop, third, before=second))

    waiting, newest = new(before)
    assert waiting.state_name in ("Cancelling", "Cancelled")
    assert newest.parameters["revision"] == third
    assert newest.name == f"shop {third[:7]} → production, skips {first[:7]}, {second[:7]}"
    assert late.ended[1].endswith(f"skipped: {first}, {second}")
    assert last.ended == ("Skipped", f"run {str(newest.id)[:8]} delivers {third[:7]} already")
    assert set(newest.tags) == {f"skips {first[:7]}", f"skips {second[:7]}"}


def test_what_was_skipped_stands_in_the_report_of_the_delivery(shop, before):
    first = shop.commit("One")
    take(shop, arrival(shop, first))
    take(shop, arrival(shop, shop.commit("Two"), before=first))
    newest = new(before)[-1]

    run = shop.carry(deliver, str(newest.id))

    assert run.state.is_completed(), run.ended
    record = shop.record(str(newest.id))
    assert record.skipped == (first,)
    assert runs.look(str(newest.id), steps=False).name.endswith(f", skips {first[:7]}")


@pytest.mark.parametrize("environment", ["production", pytest.param("staging", marks=pytest.mark.long)])
def test_a_delivery_that_changes_an_environment_is_not_torn_out_of_it(shop, before, environment):
    first = shop.commit("One")
    take(shop, arrival(shop, first))
    (busy,) = new(before)
    shop.leases.take("shop", environment, holder=str(busy.id), reason="delivery")

    take(shop, arrival(shop, shop.commit("Two"), before=first))

    assert new(before)[0].state_name == busy.state_name


def test_nobody_is_asked_about_a_delivery_that_changed_an_environment_when_a_newer_one_started(
    shop, before, monkeypatch
):
    monkeypatch.setattr(gate, "POLL_SECONDS", 0.05)
    policy = {"by": "person", "wait": "pause", "timeout_seconds": 20}
    shop.describe(repository=BRANCHES, environments={"production": {"target": MEMORY, "approval": policy}})
    first = shop.commit("One")
    take(shop, arrival(shop, first))
    (earlier,) = new(before)
    lease = shop.leases.take("shop", "staging", holder=str(earlier.id), reason="delivery")
    take(shop, arrival(shop, shop.commit("Two"), before=first))
    newer = new(before)[-1]
    shop.leases.give_back(lease)  # and waits for its approval now
    seen = []

    def look_and_approve(run):
        seen.extend(one.state_name for one in new(before) if one.id == earlier.id)
        runs.answer(runs.look(run), "approve", "ann@example.com", "")

    run = shop.carry_while(str(newer.id), look_and_approve, deliver)

    assert run.state.is_completed(), run.ended
    assert seen[0] in ("Cancelling", "Cancelled")
    assert shop.record(str(newer.id)).skipped == (first,)


@pytest.mark.long
def test_a_branch_that_is_gone_delivers_nothing(shop, before):
    run = take(shop, arrival(shop, "1" * 40, ref="refs/heads/gone"))

    assert run.ended == ("Skipped", "gone is gone")
    assert new(before) == []


@pytest.mark.long
def test_a_tag_delivers_the_commit_that_it_names(shop, before):
    shop.describe(repository={"tags": {"v*": "production"}})
    sha = shop.git("rev-parse", "HEAD")
    shop.git("tag", "-a", "-m", "Spring", "v1.2")

    run = take(shop, arrival(shop, shop.git("rev-parse", "v1.2"), kind="tag", ref="refs/tags/v1.2"))

    assert run.ended[0] == "Completed"
    assert [one.parameters["revision"] for one in new(before)] == [sha]


@pytest.mark.long
def test_a_file_with_mistakes_delivers_nothing_and_says_which(shop, before):
    shop.describe(repository={"branches": {"main": "nowhere"}})

    name, message = take(shop, arrival(shop, shop.git("rev-parse", "HEAD"))).ended

    assert name == "Misconfigured"
    assert "repository.branches.main: no such name (found nowhere); allowed: production" in message
    assert new(before) == []


def alarm(platform, minutes=1, **more):
    fields = {"kind": "alarm", "action": "ALARM", "subject": "shop-5xx", "reason": "too many", "ref": ""}
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    return arrival(platform, **(fields | {"environment": "production", "at": at} | more))


def test_alarms_soon_after_a_release_take_it_back_once(shop, before):
    shop.put_live(1)
    shop.put_live(2)

    ended = [take(shop, alarm(shop, subject=name), take_alarm).ended for name in ("shop-5xx", "shop-latency")]

    (one,) = new(before, "rollback")
    assert [name for name, _ in ended] == ["Completed", "Completed"]
    assert all(str(one.id) in message for _, message in ended)
    about = {"app": "shop", "environment": "production", "away_from": shop.release(2).fingerprint}
    assert one.parameters == {**about, "although_frozen": True}
    assert shop.carry(rollback, str(one.id)).state.is_completed()
    assert shop.live() == shop.release(1)
    assert take(shop, alarm(shop), take_alarm).ended == (
        "Skipped",
        "what is live was not released last, but rolled-back",
    )


def test_an_alarm_tries_again_what_one_before_it_did_not_bring_about(shop, before):
    shop.put_live(1)
    shop.put_live(2)
    take(shop, alarm(shop), take_alarm)
    (first,) = new(before, "rollback")
    end(first.id, Crashed())

    ended = take(shop, alarm(shop, subject="shop-latency"), take_alarm).ended

    _, again = new(before, "rollback")
    assert ended[0] == "Completed"
    assert ended[1].endswith(f"run {again.id}")
    assert again.parameters == first.parameters


def test_an_alarm_takes_back_the_release_that_it_is_about_and_no_newer_one(shop, before):
    shop.put_live(1)
    shop.put_live(2)
    take(shop, alarm(shop), take_alarm)
    shop.put_live(3)
    (one,) = new(before, "rollback")

    run = shop.carry(rollback, str(one.id))

    about, newer = shop.release(2).fingerprint, shop.release(3).fingerprint
    reason = f"release {newer} is live by now, not release {about}: nothing is taken back"
    assert run.ended == ("Unchanged", reason)
    assert shop.live() == shop.release(3)
    assert shop.record(run.id).outcome == "unchanged"


def test_a_release_that_comes_while_a_rollback_waits_for_the_environment_stays(shop, before, monkeypatch):
    shop.put_live(1)
    shop.put_live(2)
    take(shop, alarm(shop), take_alarm)
    (one,) = new(before, "rollback")
    ours = flows.rollback.check_way_back

    async def while_it_waits(*arguments, **more):
        shop.set_live(3)
        return await ours(*arguments, **more)

    monkeypatch.setattr(flows.rollback, "check_way_back", while_it_waits)

    run = shop.carry(rollback, str(one.id))

    assert run.ended[0] == "Unchanged"
    assert shop.live() == shop.release(3)
    assert shop.happenings() == ["released", "released"]


@pytest.mark.long
def test_an_alarm_long_after_a_release_takes_nothing_back(shop, before):
    shop.put_live(1)

    run = take(shop, alarm(shop, minutes=61), take_alarm)

    assert run.ended == ("Skipped", "what is live has been for more than 60 minutes: it is not the cause")
    assert new(before, "rollback") == []


@pytest.fixture
def triggers(shop, automations_run):
    """The automations of deployments.yaml, as `prefect deploy` makes them."""
    made = []

    async def make():
        async with get_client() as client:
            for described in DEPLOYMENTS:
                if described["name"] == "arrivals":
                    flow = take_push if described["entrypoint"].endswith("take_push") else take_alarm
                    deployment = await client.create_deployment(await client.create_flow(flow), "arrivals")
                    specs = _initialize_deployment_triggers("arrivals", described["triggers"])
                    await _create_deployment_triggers(client, deployment, specs)
                    made.append(deployment)

    shop.loop.run(make())
    yield made
    with get_client(sync_client=True) as client:
        for deployment in made:
            client.delete_resource_owned_automations(f"prefect.deployment.{deployment}")
            client.delete_deployment(deployment)


def told(*arrivals):
    return [Told(one.identity, one.starts_runs, one.received) for one in arrivals]


def of_deployments(deployments):
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=deployments)))


@pytest.mark.parametrize("platform", ["folder"], indirect=True)  # where files are kept is nothing to the server
def test_an_event_starts_the_flow_that_takes_it_up_once_with_all_that_was_said(shop, triggers):
    events = PrefectEvents(lambda: PrefectApi(PREFECT_API_URL.value(), {}))
    pushed = arrival(shop, "1" * 40, subject='Sell "more" & <less> {{ event.id }}')
    rang = alarm(shop)

    before = events.taken(told(pushed, rang))
    for _ in range(2):
        events.tell([pushed, rang])
    shop.until(lambda: events.taken(told(pushed, rang)) == {pushed.identity, rang.identity})
    events.tell([pushed])
    events.tell([arrival(shop, delivery="a later one"), alarm(shop, delivery="a later alarm")])
    shop.until(lambda: len(of_deployments(triggers)) >= 4)

    assert before == set()
    found = of_deployments(triggers)
    taken = [Arrival.model_validate(run.parameters["arrival"]) for run in found]
    assert len(found) == 4
    assert pushed in taken
    assert rang in taken


def test_what_starts_nothing_is_not_done_before_the_server_keeps_it_as_an_event(shop, server):
    events = PrefectEvents(lambda: PrefectApi(PREFECT_API_URL.value(), {}))
    image = arrival(shop, kind="image", ref="", repository="acme/shop", subject="1.2")

    events.tell([image])

    assert events.taken(told(image)) == set()  # this server keeps no events

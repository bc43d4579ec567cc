"""Releases on ECS as services whose traffic ECS itself or CodeDeploy moves, on a local AWS with a load balancer."""

import json
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest

from delivery.errors import Misconfigured, ReleaseUnhealthy, Transient
from delivery.spec.ecs_target import EcsTarget
from delivery.spec.environments import Watch
from tests.places.contract import TargetContract, several
from tests.places.on_ecs.rooms import CANARY, first_definition, make_app
from tests.places.test_ecs import limits_of
from tests.support.ecs_service import load, waited

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("aws-services")]
KEPT_SECONDS = 900  # of AWS
# CodeDeploy moves traffic by the clock: on a busy machine its canary could be over before anybody looks at it.
HELD_CANARY = {"service": "codedeploy-agent", "operation": "AllowTraffic", "kind": "hang"}


class ServicesContract(TargetContract):
    """The whole contract, with the shares of a canary."""

    STEPS = (10, 100)

    def keep(self, app, target, release, sequence):
        host = target(sequence, keep_warm_seconds=KEPT_SECONDS)
        host.stage(app, release)
        host.shift(release, 100)
        return host.settle(release)

    def serve_something_else(self, live, release):
        httpx.get(f"{live.target(2).address(release)}/stray", trust_env=False).raise_for_status()

    def what_instances_may_use(self, live, release):
        target = live.target(2)
        record = target.record()
        own = [one for one in target.instances(record) if one.colour == record.colour_of(release)]
        asked = [
            target.tasks.client.describe_task_definition(taskDefinition=one.task.definition)["taskDefinition"]
            for one in own
        ]
        return [limits_of(one["containerDefinitions"][0]) for one in asked]


@pytest.mark.long
class TestByEcs(ServicesContract):
    """ECS itself moves traffic."""


@pytest.mark.long
class TestByCodeDeploy(ServicesContract):
    """CodeDeploy does."""

    DEPLOYER = "codedeploy"

    def live_beside(self, count):
        return count  # a service has one number of tasks, which counts for both of its task sets


BOTH = pytest.mark.parametrize("deployer", ["ecs", "codedeploy"], scope="class")
NAMES = {"ecs": "ECS", "codedeploy": "CodeDeploy"}


@BOTH
def test_a_release_comes_step_by_step_to_users_who_lose_nothing_and_goes_back_the_same_way(
    app, target, way, release, server, room
):
    first, second = release(1), release(2)
    target(1).stage(app, first)
    target(1).shift(first, 10)
    target(1).retire(first)
    with load(way.url) as came:
        slot = target(2).stage(app, second)
        tested = httpx.get(way.test_url, trust_env=False).text
        address, before = target(2).address(second), way.shares()
        with server.faults(HELD_CANARY):
            canary = target(2).shift(second, 10)
            at_canary = way.shares()
        whole = target(2).shift(second, 100)
        end = target(2).retire(second)
        waited(lambda: came["200 2"] > 0)

    [running] = target(2).tasks.of_service(way.name)
    definition = server.client("ecs").describe_task_definition(taskDefinition=running.definition)["taskDefinition"]
    main = definition["containerDefinitions"][0]
    assert (slot.weight, tested, address) == (0, "2", way.test_url)
    assert (canary.slot_of(second).weight, canary.slot_of(first).weight) == (10, 90)
    assert sorted(before.values()) == [0, 100]
    assert sorted(at_canary.values()) == [10, 90]
    assert whole.slot_of(second).weight == 100
    assert (end.live.release, end.slot_of(first), end.url) == (second, None, way.url)
    assert {one.digest for one in end.live.instances} == {second.images["web"].digest}
    assert {one.served_digest for one in end.live.instances} == {second.images["web"].digest}
    assert set(came) == {"200 1", "200 2"}
    assert main["dockerLabels"] == {"team": "ours"}
    assert [one["name"] for one in main["secrets"]] == ["TOKEN"]
    assert CANARY not in str(definition)


@BOTH
@pytest.mark.long
def test_a_service_without_a_load_balancer_rolls_with_the_release_and_back_with_it(target, release, deployer):
    app = make_app(deployer)
    worker = app.services["web"].model_copy(update={"port": None, "health": None, "version": None, "image": "web"})
    app = app.model_copy(update={"services": {**app.services, "worker": worker}})
    host = replace(target, app=app)

    def runs() -> set[str | None]:
        found = host(0).instances(host(0).record())
        return {one.task.digest for one in found if one.service == "worker" and one.task.is_running}

    def digests(number: int) -> set[str]:
        return {release(number).images["web"].digest}

    host(1).stage(app, release(1))
    host(1).shift(release(1), 100)
    host(1).retire(release(1))
    first = runs()
    staged = host(2).stage(app, release(2))
    second = runs()
    host(2).withdraw(release(2))

    assert {one.service for one in staged.instances} == {"web", "worker"}
    assert (first, second) == (digests(1), digests(2))
    waited(lambda: runs() == digests(1))


def by_hand(told, deployer):
    """Return as a target of headway.yaml what an infrastructure tells of an environment."""
    names = ("cluster", "execution_role", "log_group", "bucket", "url", "test_url")
    said = {"kind": "ecs", "deployer": deployer, **{name: told[name] for name in names}}
    said |= {"subnets": told["task_subnets"], "security_groups": told["task_security_groups"]}
    web = {key: one for key, one in told["services"]["web"].items() if key != "port"}
    if deployer == "ecs":
        said["traffic_role"] = told["traffic_role"]
    else:
        said["codedeploy"] = {name: told[f"codedeploy_{name}"] for name in ("app", "hook", "queue")}
    return EcsTarget.model_validate({**said, "services": {"web": web}})


@BOTH
@pytest.mark.long
def test_a_release_comes_to_services_that_are_named_by_hand(app, target, way, release, deployer):
    told = target.settings.outputs["service"]
    host = replace(target, settings=replace(target.settings, outputs={}))
    named = {"target": by_hand(told, deployer)}
    for number in (1, 2):
        host(number, **named).stage(app, release(number))
        host(number, **named).shift(release(number), 100)
        host(number, **named).confirm(release(number))
        end = host(number, **named).retire(release(number))

    assert (end.live.release, end.url) == (release(2), way.url)
    assert httpx.get(way.url, trust_env=False).text == "2"


@BOTH
@pytest.mark.long
def test_a_canary_that_is_withdrawn_leaves_as_many_old_tasks_with_all_users(app, target, way, release, server, room):
    first, second = release(1), release(2)
    target(1).stage(app, first)
    target(1).shift(first, 100)
    target(1).retire(first)
    before = target(2).observe()
    with load(way.url) as came:
        target(2).stage(several(app), second)
        target(2).shift(second, 10)
        state = target(2).withdraw(second)

    [service] = server.client("ecs").describe_services(cluster=room.cluster, services=[way.name])["services"]
    assert [(one.release, one.weight, one.healthy) for one in state.slots] == [
        (one.release, one.weight, one.healthy) for one in before.slots
    ]
    assert service["desiredCount"] == 1
    waited(lambda: len(target(2).tasks.of_service(way.name)) == 1)  # which one of several stays is AWS's choice
    assert set(came) <= {"200 1", "200 2"}


@pytest.mark.parametrize("deployer", ["ecs", pytest.param("codedeploy", marks=pytest.mark.long)], scope="class")
def test_a_release_whose_container_exits_is_told_with_its_reason_and_last_lines_in_seconds(app, target, release):
    with pytest.raises(ReleaseUnhealthy, match=r"web 1 of release \w+ ended with exit code 1; .*\n(.*\n)*out of luck"):
        target(1).stage(app, release(2, kind="crashing"))

    assert target(1).withdraw(release(2, kind="crashing")).live is None
    assert target(1).tasks.of_service(target.settings.app) == []


def test_what_somebody_else_deploys_is_named_before_anything_starts(app, target, release, server, room):
    first, ecs, name = release(1), server.client("ecs"), target.settings.app
    target(1).stage(app, first)
    target(1).shift(first, 100)
    target(1).retire(first)
    by_hand = first_definition(ecs, room, name)
    ecs.update_service(cluster=room.cluster, service=name, taskDefinition=by_hand)

    with pytest.raises(Misconfigured, match=rf"service {name}: deployment \w+ of {by_hand} is in progress since 20"):
        target(2).stage(app, release(2))

    assert target(2).observe().live.release == first
    assert json.loads(target(2).ask("/version")[0].body)["digest"] == first.images["web"].digest


def patiently(act):
    """Do it again after what is transient, as a step of a flow does."""
    for _ in range(20):
        with suppress(Transient):
            return act()
    return act()


OPERATIONS = {
    "ecs": ("UpdateService", "ContinueServiceDeployment", "StopServiceDeployment", "RegisterTaskDefinition"),
    "codedeploy": (
        "CreateDeployment",
        "ContinueDeployment",
        "StopDeployment",
        "PutLifecycleEventHookExecutionStatus",
        "GetDeploymentTarget",
    ),
}


@BOTH
@pytest.mark.long
@pytest.mark.parametrize("kind", ["throttled", "answer lost", "error"])
def test_a_release_comes_through_and_goes_back_while_aws_throttles_fails_and_loses_answers(
    kind, app, released, way, release, server, room, deployer
):
    second, third, operations = release(2), release(3), OPERATIONS[deployer]
    faults = [{"service": deployer, "operation": one, "kind": kind, "times": 3} for one in operations]

    with load(way.url) as came:
        server.put_faults(*faults)
        patiently(lambda: released(2).stage(app, second))
        patiently(lambda: released(2).shift(second, 10))
        patiently(lambda: released(2).shift(second, 100))
        patiently(lambda: released(2).retire(second))
        server.put_faults(*faults)
        patiently(lambda: released(3).stage(app, third))
        patiently(lambda: released(3).shift(third, 10))
        end = patiently(lambda: released(3).withdraw(third))
    left = server.faults_left()
    server.put_faults()

    ecs, family = server.client("ecs"), f"headway-{released.settings.app}-production-"
    web = released(3).ways.of("web")
    newest = released(3).rollouts(web).newest(web)
    assert (end.live.release, end.slot_of(third)) == (second, None)
    assert {one.split()[0] for one in came} == {"200"}
    assert [one.has_succeeded for one in newest] == [False, True, True]
    assert not any(one.is_active for one in newest)
    assert len(ecs.list_task_definitions(familyPrefix=family, status="ACTIVE")["taskDefinitionArns"]) <= 4
    assert {one["operation"] for one in left} < set(operations)


@BOTH
@pytest.mark.long
def test_without_room_for_a_task_a_release_ends_with_ecs_reason_and_the_old_one_stays(
    app, released, way, release, server
):
    none = {"service": "ecs", "operation": "RunTask", "kind": "no capacity", "times": 1000}
    with load(way.url) as came:
        server.put_faults(none)
        with pytest.raises(ReleaseUnhealthy, match=r"ECS has no room for tasks of .*Capacity is unavailable"):
            released(2).stage(app, release(2))
        server.put_faults()
        end = released(2).withdraw(release(2))

    assert [slot.release for slot in end.slots if slot.release] == [release(1)]
    assert set(came) == {"200 1"}


@BOTH
@pytest.mark.long
@pytest.mark.parametrize("percent", [0, 10, 100])
def test_a_deployment_that_a_person_stops_in_the_console_is_told_as_what_it_is(
    percent, app, released, way, release, server, deployer
):
    second = release(2)
    with load(way.url) as came:
        released(2).stage(app, second)
        if percent:
            released(2).shift(second, percent)
        web = released(2).ways.of("web")
        found = released(2).rollouts(web).open_of(web)
        if deployer == "ecs":
            server.client("ecs").stop_service_deployment(serviceDeploymentArn=found.id, stopType="ROLLBACK")
        else:
            server.client("codedeploy").stop_deployment(deploymentId=found.id)

        words = rf"{NAMES[deployer]} took the deployment of {way.name} back: .*stopped"
        with pytest.raises(ReleaseUnhealthy, match=words):
            released(2).settle(second)
        end = released(2).withdraw(second)

    assert [slot.release for slot in end.slots if slot.release] == [release(1)]
    assert {one.split()[0] for one in came} == {"200"}


@BOTH
@pytest.mark.long
def test_a_release_whose_tasks_somebody_took_away_is_no_success(app, released, way, release, server, room, deployer):
    second = release(2)
    released(2).stage(app, second)
    released(2).shift(second, 100)
    server.client("ecs").update_service(cluster=room.cluster, service=way.name, desiredCount=0)
    waited(lambda: not released(2).tasks.of_service(way.name))

    with pytest.raises(ReleaseUnhealthy, match="web-1 has ended"):
        released(2).confirm(second)
    end = released(2).withdraw(second)

    assert [(slot.release, slot.weight) for slot in end.slots if slot.release] == [(release(1), 100)]
    waited(lambda: [one.task.is_running for one in released(2).instances(released(2).record())] == [True])


@pytest.mark.long
def test_a_release_that_somebody_elses_deployment_took_the_place_of_is_no_success(
    app, released, way, release, server, room
):
    second, ecs = release(2), server.client("ecs")
    released(2).stage(app, second)
    released(2).shift(second, 100)
    by_hand = first_definition(ecs, room, way.name)
    ecs.update_service(cluster=room.cluster, service=way.name, taskDefinition=by_hand)

    with pytest.raises(ReleaseUnhealthy, match=r"ECS took the deployment of .* back: .*another one was started"):
        released(2).confirm(second)
    with pytest.raises(ReleaseUnhealthy, match=r"ECS took the deployment of .* back"):
        released(2).settle(second)


@BOTH
@pytest.mark.long
def test_with_headway_gone_for_good_aws_goes_back_by_itself(app, released, way, release, deployer):
    second = release(2)
    policy = {"watch": Watch(seconds=0, longer_seconds=0)}  # so that a hook waits for 15 minutes of AWS
    with load(way.url) as came:
        before = way.shares()
        released(2, **policy).stage(app, second)
        released(2, **policy).shift(second, 10)
        if deployer == "codedeploy":  # its clock moves all traffic, and its hook waits for an hour
            waited(lambda: released(2, **policy).observe().slot_of(second).weight == 100, seconds=60)
        waited(lambda: way.shares() == before, seconds=300)

    assert released(3).observe().live.release == release(1)
    assert released(3).withdraw(second).slot_of(second) is None
    assert {one.split()[0] for one in came} == {"200"}


def test_what_the_infrastructure_does_not_tell_is_named(target):
    def told(**service):
        outputs = {"service": {**target.settings.outputs["service"], **service}}
        return replace(target, settings=replace(target.settings, outputs=outputs))(1)

    where = "output service of the infrastructure of production"
    with pytest.raises(Misconfigured, match=rf"{where}.services: is not told; allowed: services with their rules"):
        _ = told(services={}).ways
    with pytest.raises(Misconfigured, match=rf"{where}.services.web: lacks blue, green, production_rule, test_rule"):
        _ = told(services={"web": {"service": "web", "port": 80}}).ways
    with pytest.raises(Misconfigured, match=r"service web: the environment's infrastructure has no .*; allowed: api"):
        told(services={"api": {"service": "api"}}).ways.of("web")

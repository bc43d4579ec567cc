"""What speaks against a release into a service is told before anything starts."""

import secrets
from dataclasses import replace

import pytest

from delivery.aws.service_preflight import service_looks
from delivery.aws.service_ways import ServiceWay, Ways
from delivery.ports.preflight import look_at
from tests.support.ecs import CLUSTER, ROLE, Tasks
from tests.support.ecs_service import make_way
from tests.support.ecs_shop import Shop, make_balancer

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.fixture(scope="module")
def tasks(aws):
    return Tasks(aws).ready()


@pytest.fixture(scope="module")
def balancer(tasks):
    return make_balancer(tasks)


@pytest.fixture
def made(tasks, balancer):
    way = make_way(balancer, f"web-{secrets.token_hex(3)}")
    return way, ServiceWay("web", way.name, tuple(way.groups.values()), way.rules["production"], way.rules["test"])


def seen(aws, way, role=ROLE):
    ways = Ways({"web": way}, "http://users", "http://tests", role)
    looks = service_looks(aws.access(tries=2), CLUSTER, ways, "ecs", 0)
    return {one.what: one for one in look_at(looks)}


def test_a_service_whose_traffic_ecs_can_move_is_well(aws, tasks, made):
    way, told = made
    Shop(tasks, way).create("one", 0)

    found = seen(aws, told)

    assert all(one.is_well for one in found.values())
    assert found[f"service {way.name}"].found == "ACTIVE, 0 of 0 tasks, controller ECS"


def test_a_target_group_that_is_not_on_the_rule_for_users_is_named(aws, tasks, made):
    way, told = made
    Shop(tasks, way).create("one", 0)
    alone = [{"TargetGroupArn": way.groups["blue"], "Weight": 1}]
    tasks.client("elbv2").modify_rule(
        RuleArn=way.rules["production"],
        Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": alone}}],
    )

    found = seen(aws, told)[f"service {way.name}"]

    assert not found.is_well
    assert f"rule {way.rules['production']}: does not forward to targetgroup/{way.name}-green/" in found.found
    assert "allowed: both target groups of the service, one of them with weight 0" in found.found


def test_a_service_with_two_load_balancers_one_that_is_not_there_and_a_missing_role_are_told(aws, tasks, made):
    way, told = made
    Shop(tasks, way).create("one", 0, ("blue", "green"))

    several, gone = seen(aws, told, role=""), seen(aws, replace(told, service="gone"))

    assert "has 2 load balancers; allowed: one" in several[f"service {way.name}"].found
    assert "traffic_role: is not told; allowed: the ARN of the role" in several["traffic role"].found
    assert gone["service gone"].found == f"service gone: is not in cluster {CLUSTER}"
    assert "headway run applies" in gone["service gone"].next_step


def test_a_rule_that_is_gone_is_told(aws, tasks, made):
    way, told = made
    Shop(tasks, way).create("one", 0)
    tasks.client("elbv2").delete_rule(RuleArn=way.rules["production"])

    assert "is not there" in seen(aws, told)[f"service {way.name}"].found

"""How requests come to services: named by hand in headway.yaml, or told by the infrastructure's outputs."""

import re

import pytest

from delivery.aws.preflight import target_looks
from delivery.aws.service_ways import ServiceWay, Ways, ways_of
from delivery.ports.preflight import look_at
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.ecs_target import EcsTarget
from delivery.spec.environments import Environment

WAY = {"service": "shop-web", "blue": "b", "green": "g", "production_rule": "p", "test_rule": "t"}
SAID = {
    "url": "http://users",
    "test_url": "http://tests",
    "traffic_role": "role",
    "alarms": ("errors",),
    "services": {"web": WAY, "worker": {"service": "shop-worker"}},
    "codedeploy": {"app": "shops", "hook": "relay", "queue": "https://queue"},
}
TOLD = {
    "url": "http://users",
    "test_url": "http://tests",
    "traffic_role": "role",
    "codedeploy_app": "shops",
    "codedeploy_hook": "relay",
    "codedeploy_queue": "https://queue",
    "services": {"web": {**WAY, "port": 8000}, "worker": {"service": "shop-worker", "port": None}},
}
WAYS = Ways(
    services={
        "web": ServiceWay("web", "shop-web", ("b", "g"), "p", "t", "shop-web"),
        "worker": ServiceWay("worker", "shop-worker"),
    },
    url="http://users",
    test_url="http://tests",
    traffic_role="role",
    application="shops",
    hook="relay",
    queue="https://queue",
    alarms=("errors",),
)


def target_of(**said):
    return EcsTarget.model_validate({"kind": "ecs", "deployer": "ecs", **said})


def settings(**outputs):
    return EnvironmentSettings(app="shop", environment="production", outputs=outputs)


def test_what_is_named_by_hand_is_what_an_infrastructure_tells():
    assert ways_of(target_of(**SAID), settings()) == WAYS
    assert ways_of(target_of(), settings(service=TOLD, alarms=["errors"])) == WAYS


def test_what_is_named_by_hand_counts_before_what_the_infrastructure_tells():
    ways = ways_of(target_of(url="https://shop.example", alarms=["own"]), settings(service=TOLD, alarms=["errors"]))

    assert (ways.url, ways.alarms) == ("https://shop.example", ("own",))
    assert ways.services == WAYS.services


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({}, "services: is not told; allowed: .*, or target.services in headway.yaml"),
        (SAID, "headway.yaml: environments.production.target.cluster: is not said"),
    ],
)
def test_what_nobody_will_ever_tell_is_named_before_a_release(said, problem):
    environment = Environment(target=target_of(**said))

    [found] = look_at(target_looks(environment, settings()))

    assert not found.is_well
    assert re.search(problem, found.found)

"""Services of ECS that headway.yaml names by hand: whole ones of the application's, and who deploys them."""

from typing import Any

import pytest
from pydantic import ValidationError

from delivery.spec.app import App

WAY = {"service": "shop-web", "blue": "b", "green": "g", "production_rule": "p", "test_rule": "t"}
BOTH: dict[str, Any] = {"web": WAY, "worker": {"service": "shop-worker"}}
TASKS: dict[str, Any] = {
    "cluster": "c",
    "subnets": ["s"],
    "security_groups": ["g"],
    "execution_role": "r",
    "log_group": "l",
    "bucket": "b",
}
REACHED = {"url": "http://users", "test_url": "http://tests", "services": BOTH}
RELAY = {"app": "shops", "hook": "relay", "queue": "https://queue"}


def described(**target: Any) -> App:
    services = {"web": {"port": 8080, "health": "/healthz", "version": "/version"}, "worker": {"image": "web"}}
    production = {"target": {"kind": "ecs", **target}}
    return App.model_validate(
        {"app": "shop", "images": {"web": {}}, "services": services, "environments": {"production": production}}
    )


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (
            {"services": BOTH},
            r"target.services: nobody moves their traffic \(found deployer: none\); allowed: deployer: ",
        ),
        (
            {"deployer": "ecs", "services": {**BOTH, "shop": WAY}},
            r"target.services: no such name \(found shop\); allowed: web, worker",
        ),
        ({"deployer": "ecs", "services": {"web": WAY}}, r"target.services: lacks worker; allowed: all of the app"),
        ({"deployer": "ecs", "codedeploy": RELAY}, r"target.codedeploy: does not deploy here \(found deployer: ecs\)"),
        (
            {"deployer": "ecs", "services": {**BOTH, "web": {"service": "web", "blue": "b", "green": "g"}}},
            "lacks production_rule, test_rule; allowed: blue, green, production_rule, test_rule, or none of them",
        ),
        ({"deployer": "codedeploy", "codedeploy": {"app": "shops"}}, "codedeploy.hook"),
    ],
)
def test_what_does_not_fit_is_told_with_its_key(target: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        described(**target)


@pytest.mark.parametrize(
    ("target", "needed"),
    [
        ({"deployer": "none", **TASKS}, ()),
        ({"deployer": "ecs", **TASKS}, ("service",)),
        ({"deployer": "ecs", **TASKS, **REACHED}, ("service",)),
        ({"deployer": "ecs", **TASKS, **REACHED, "traffic_role": "r"}, ()),
        ({"deployer": "codedeploy", **TASKS, **REACHED, "traffic_role": "r"}, ("service",)),
        ({"deployer": "codedeploy", **TASKS, **REACHED, "codedeploy": RELAY}, ()),
        ({"deployer": "codedeploy", **REACHED, "codedeploy": RELAY}, ("service",)),
    ],
)
def test_an_infrastructure_is_needed_for_what_is_not_named(target: dict[str, Any], needed: tuple[str, ...]) -> None:
    assert described(**target).environments["production"].target.needed_outputs(database=False) == needed

"""The definition of a release's tasks, made from the one that a service runs."""

import pytest

from delivery.aws.derived_definition import derived_definition, main_container
from delivery.errors import Misconfigured
from delivery.spec.services import Service

LOGS = {"logDriver": "awslogs", "options": {"awslogs-group": "/ours"}}
WEB = {
    "name": "web",
    "image": "old",
    "essential": True,
    "environment": [{"name": "OLD", "value": "1"}],
    "portMappings": [{"containerPort": 80}],
    "logConfiguration": LOGS,
    "linuxParameters": {"sharedMemorySize": 64},
}
SIDECAR = {"name": "envoy", "image": "envoy", "essential": True}
BASE = {
    "taskDefinitionArn": "arn:aws:ecs:eu-west-1:1:task-definition/team-web:7",
    "family": "team-web",
    "revision": 7,
    "status": "ACTIVE",
    "registeredAt": "2026-01-01",
    "requiresAttributes": [],
    "compatibilities": ["FARGATE"],
    "cpu": "512",
    "memory": "1024",
    "volumes": [{"name": "ours"}],
    "taskRoleArn": "arn:role",
    "containerDefinitions": [WEB, SIDECAR],
}


def derived(base=BASE, env=(), references=(), **service):
    file = Service.model_validate({"port": 8000, **service})
    given = {"env": dict(env), "references": dict(references), "tags": {"a": "b"}}
    return derived_definition(base, "web", file, "shop/web@sha256:1", where="services.web", family="headway", **given)


def test_what_a_team_added_stays_and_the_release_brings_image_variables_and_secrets():
    made = derived(env={"NEW": "2"}, references={"TOKEN": "arn:secret:web.TOKEN::"})

    web, sidecar = made["containerDefinitions"]
    assert sidecar == SIDECAR
    assert (web["image"], web["environment"]) == ("shop/web@sha256:1", [{"name": "NEW", "value": "2"}])
    assert web["secrets"] == [{"name": "TOKEN", "valueFrom": "arn:secret:web.TOKEN::"}]
    assert (web["logConfiguration"], web["linuxParameters"]["sharedMemorySize"]) == (LOGS, 64)
    assert web["portMappings"] == [{"containerPort": 8000, "protocol": "tcp"}]
    assert (made["family"], made["volumes"], made["taskRoleArn"]) == ("headway", [{"name": "ours"}], "arn:role")
    assert made["tags"] == [{"key": "a", "value": "b"}]


def test_what_ecs_says_of_a_definition_is_not_sent_back():
    assert {
        "taskDefinitionArn",
        "revision",
        "status",
        "registeredAt",
        "requiresAttributes",
        "compatibilities",
    }.isdisjoint(derived())


@pytest.mark.parametrize(
    ("containers", "asked", "size"),
    [
        ([WEB], {}, ("512", "1024")),
        ([WEB], {"cpus": 0.25, "memory": "400m"}, ("256", "512")),
        ([WEB, SIDECAR], {"cpus": 0.25}, ("512", "1024")),
        ([WEB, SIDECAR], {"cpus": 2}, ("2048", "4096")),
    ],
    ids=["as it was", "as is said", "not less than others need", "more"],
)
def test_a_task_has_the_size_that_is_said_and_else_the_one_there_was(containers, asked, size):
    made = derived({**BASE, "containerDefinitions": containers}, **asked)

    assert (made["cpu"], made["memory"]) == size


def test_a_size_that_no_task_has_is_refused():
    with pytest.raises(Misconfigured, match=r"services.web: asks for more than any task of Fargate has"):
        derived(memory="999g")


@pytest.mark.parametrize(
    ("service", "container", "found"), [("web", "", "web"), ("other", "envoy", "envoy"), ("web", "gone", "web")]
)
def test_the_container_of_a_release_is_the_one_the_load_balancer_reaches_else_the_one_called_so(
    service, container, found
):
    assert main_container(BASE, service, container) == found


def test_a_definition_without_such_a_container_is_told_with_those_it_has():
    with pytest.raises(Misconfigured, match=r"task-definition/team-web:7: no container api; allowed: web, envoy"):
        main_container(BASE, "api", "")
    assert main_container({**BASE, "containerDefinitions": [WEB]}, "api", "") == "web"

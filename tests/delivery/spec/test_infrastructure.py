"""A stack of one's own or one of Headway's, what the latter is told, and what tasks on ECS cannot do."""

from typing import Any

import pytest
from pydantic import ValidationError

from delivery.package_data import package_data
from delivery.spec.app import App
from delivery.spec.fargate import FARGATE, smallest_task
from delivery.spec.infrastructure import Infrastructure
from delivery.spec.variables import output_facts
from delivery.terraform.own_stacks import lay_out, own_backend, own_variables, services_of

SERVICES: dict[str, dict[str, Any]] = {
    "web": {"port": 8080, "routes": ["/"], "health": "/-/healthz"},
    "api": {"port": 3000, "routes": ["/api", "/version"], "cpus": 0.5, "memory": "700m", "start_seconds": 90},
    "worker": {"image": "api", "instances": 6},
}
LOCAL = {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:5566"}


def described(services: dict[str, Any] = SERVICES, **production: Any) -> App:
    environment = {"target": {"kind": "ecs"}, **production}
    images = {name: {} for name in services}
    file = {"app": "shop", "images": images, "services": services, "environments": {"production": environment}}
    return App.model_validate(file)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "found neither; allowed: `terraform`, a folder of yours, or `stack`, one of Headway's"),
        ({"terraform": "infra", "stack": "aws/environment"}, "found both"),
        ({"stack": "aws/environment"}, "backend.bucket: is needed with `stack`"),
    ],
)
def test_exactly_one_stack_is_named_and_headways_needs_a_bucket_for_its_state(
    given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem.replace("(", r"\(")):
        Infrastructure.model_validate(given)


def test_headways_stack_is_told_what_headway_yaml_says_already() -> None:
    told = own_variables(described(), "production", LOCAL)

    assert (told["app"], told["region"], told["aws_endpoint"]) == ("shop", "eu-central-1", "http://127.0.0.1:5566")
    assert {name: one.get("paths") for name, one in told["services"].items()} == {
        "web": ["/*"],
        "api": ["/version*", "/api*"],
        "worker": None,
    }
    assert told["services"]["api"] | {"image": ""} == {
        "image": "",
        "most": 4,
        "cpu": 512,
        "memory": 1024,
        "port": 3000,
        "paths": ["/version*", "/api*"],
        "priority": 10,
        "health_path": "/",
        "grace_seconds": 90,
    }
    assert told["services"]["web"]["priority"] > told["services"]["api"]["priority"]
    assert (told["services"]["worker"]["most"], "port" in told["services"]["worker"]) == (6, False)


@pytest.mark.parametrize(
    ("deployer", "kept", "told"),
    [
        ("ecs", 7200, {}),
        ("codedeploy", 0, {"deployer": "codedeploy", "termination_wait_minutes": 60}),
        ("codedeploy", 7201, {"deployer": "codedeploy", "termination_wait_minutes": 121}),
    ],
)
def test_headways_stack_is_told_who_moves_traffic_and_how_long_what_it_replaced_stands(deployer, kept, told) -> None:
    app = described(target={"kind": "ecs", "deployer": deployer}, keep_warm_seconds=kept)

    own = own_variables(app, "production", LOCAL)

    assert {name: own[name] for name in ("deployer", "termination_wait_minutes") if name in own} == told


def test_a_lone_service_takes_every_path() -> None:
    assert services_of(described({"web": {"port": 80}}))["web"]["paths"] == ["/*"]


def test_of_headways_backend_only_the_bucket_has_to_be_said_and_what_is_said_counts_more() -> None:
    config = Infrastructure(stack="aws/environment", backend={"bucket": "state"})
    other = Infrastructure(stack="aws/environment", backend={"bucket": "state", "key": "k", "region": "us-west-2"})

    assert own_backend(config, "shop", LOCAL) == {
        "bucket": "state",
        "key": "shop/environment.tfstate",
        "region": "eu-central-1",
        "use_path_style": True,
    }
    assert own_backend(other, "shop", LOCAL)["region"] == "us-west-2"
    assert own_backend(other, "shop", LOCAL)["key"] == "k"


def test_headways_stack_lies_beside_its_modules_in_a_folder_that_is_written_to(tmp_path) -> None:
    folder = lay_out("aws/environment", tmp_path)

    assert (folder / "main.tf").read_text() == (package_data("aws") / "environment" / "main.tf").read_text()
    assert (folder / "../modules/service/main.tf").is_file()


def test_what_tasks_on_ecs_cannot_do_is_told_with_its_key() -> None:
    canary = {"steps": [{"percent": 10, "hold_seconds": 30}, {"percent": 100, "hold_seconds": 1}]}
    large = {"web": {"port": 80, "volumes": {"data": "/data"}}, "big": {"cpus": 32, "image": "web"}}
    with pytest.raises(ValidationError) as told:
        described(large, shift=canary)

    for line in (
        "environments.production.shift: tasks at addresses of their own get all traffic or none; allowed: AllAtOnce",
        "environments.production.target: ecs keeps no volumes (services.web.volumes)",
        "production.target: Fargate has no task as large as services.big; allowed: at most 16 cpus and 120g",
    ):
        assert line in str(told.value)


def test_backing_services_are_refused_where_nothing_would_run_them() -> None:
    file = described().model_dump(mode="json", exclude_unset=True) | {"backing": {"cache": {"image": "redis:7"}}}

    with pytest.raises(ValidationError, match=r"production.target: ecs runs no backing services \(found cache\)"):
        App.model_validate(file)


@pytest.mark.parametrize(
    ("said", "database", "needed"),
    [
        ({}, False, ("service",)),
        ({}, True, ("service", "database")),
        ({"instance": "shop"}, True, ("service",)),
        (
            {
                "cluster": "c",
                "subnets": ["s"],
                "security_groups": ["g"],
                "execution_role": "r",
                "log_group": "l",
                "bucket": "b",
                "instance": "shop",
            },
            True,
            (),
        ),
    ],
)
def test_a_target_needs_the_outputs_of_what_nobody_says(said, database, needed) -> None:
    target = described(target={"kind": "ecs", **said}).environments["production"].target

    assert target.needed_outputs(database=database) == needed


@pytest.mark.parametrize(
    ("cpus", "megabytes", "size"),
    [
        (None, None, (256, 512)),
        (0.25, 513, (256, 1024)),
        (0.3, 512, (512, 1024)),
        (1, 9000, (2048, 9216)),
        (17, 1, None),
    ],
)
def test_the_smallest_task_that_holds_a_service_is_taken(cpus, megabytes, size) -> None:
    assert smallest_task(cpus, megabytes * 2**20 if megabytes else None) == size


def test_every_size_is_one_that_fargate_has() -> None:
    assert len(FARGATE) == 7
    assert smallest_task(16, 122880 * 2**20) == (16384, 122880)


def test_variables_of_an_environment_may_name_what_its_infrastructure_says_and_no_others_may() -> None:
    env = {"BUCKET": "s3://${infrastructure.storage.attachments}"}
    stack = {"stack": "aws/environment", "backend": {"bucket": "state"}}

    assert described(env=env, infrastructure=stack).environments["production"].env == env
    with pytest.raises(ValidationError, match=r"found \$\{infrastructure.storage.attachments\}; allowed: none here"):
        described(env=env)
    assert output_facts({"storage": {"attachments": "a", "more": {"n": 1}}, "on": True, "none": None}) == {
        "infrastructure.storage.attachments": "a",
        "infrastructure.storage.more.n": "1",
    }


@pytest.mark.parametrize(
    ("steps", "near"),
    [
        ([10, 50, 100], r"found \[10, 50, 100\]\); nearest: {linear: {percent: 33, hold_seconds: 30}}"),
        ([1, 2, 100], r"nearest: {linear: {percent: 33, hold_seconds: 30}}"),
    ],
)
def test_a_shift_plan_that_ecs_has_no_strategy_for_is_told_with_the_nearest_that_it_has(steps, near) -> None:
    plan = {"steps": [{"percent": percent, "hold_seconds": 30 * (percent < 100)} for percent in steps]}
    with pytest.raises(
        ValidationError, match=r"production.shift: ECS has a canary, or equal steps of 3 % or more .*" + near
    ):
        described(target={"kind": "ecs", "deployer": "ecs"}, shift=plan)


@pytest.mark.parametrize("deployer", ["ecs", "codedeploy"])
@pytest.mark.parametrize("shift", ["AllAtOnce", "Canary10Percent5Minutes", "Linear10PercentEvery1Minute"])
def test_a_shift_plan_that_a_deployer_can_do_is_taken(shift, deployer) -> None:
    target = {"kind": "ecs", "deployer": deployer}

    assert described(target=target, shift=shift).environments["production"].target.deployer == deployer


@pytest.mark.parametrize(
    ("shift", "near"),
    [
        (
            {"canary": {"percent": 10}},
            r"10 % for 0 s, 100 % for 0 s\); nearest: {canary: {percent: 10, hold_seconds: 60}}",
        ),
        ({"canary": {"percent": 5, "hold_seconds": 100}}, r"nearest: {canary: {percent: 5, hold_seconds: 120}}"),
        (
            {"steps": [{"percent": 10, "hold_seconds": 60}, {"percent": 50, "hold_seconds": 60}, {"percent": 100}]},
            r"nearest: {linear: {percent: 33, hold_seconds: 60}}",
        ),
    ],
)
def test_a_shift_plan_that_codedeploy_cannot_do_is_told_with_the_nearest_that_it_can(shift, near) -> None:
    with pytest.raises(ValidationError, match="production.shift: CodeDeploy has a canary, or equal .*" + near):
        described(target={"kind": "ecs", "deployer": "codedeploy"}, shift=shift)

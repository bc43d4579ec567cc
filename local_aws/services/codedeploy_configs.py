"""CodeDeploy's deployment configurations: those that are always there, and those that somebody made."""

from datetime import UTC, datetime
from typing import Any

from moto.codedeploy.responses import CodeDeployResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.moto_api._internal import mock_random

from local_aws.services.errors import Refusal

PREFIX = "CodeDeployDefault."
PAGE = 100
Config = dict[str, Any]
_MADE: dict[tuple[str, str], dict[str, Config]] = {}  # by account and region, and name


def _of_servers(name: str, kind: str, value: int) -> Config:
    hosts = {"minimumHealthyHosts": {"type": kind, "value": value}}
    return {"deploymentConfigName": f"{PREFIX}{name}", "computePlatform": "Server", **hosts}


def _at_once(platform: str) -> Config:
    routing = {"trafficRoutingConfig": {"type": "AllAtOnce"}}
    return {"deploymentConfigName": f"{PREFIX}{platform}AllAtOnce", "computePlatform": platform, **routing}


def _in_steps(platform: str, kind: str, minutes: int) -> Config:
    """Return one that shifts ten percent first, or with every step."""
    timing = f"timeBased{kind}"
    routing = {"type": timing[0].upper() + timing[1:]}
    routing |= {timing: {f"{kind.lower()}Percentage": 10, f"{kind.lower()}Interval": minutes}}  # type: ignore[dict-item]
    often = f"Every{minutes}" if kind == "Linear" else str(minutes)
    unit = "Minute" if minutes == 1 and platform == "Lambda" else "Minutes"
    name = f"{PREFIX}{platform}{kind}10Percent{often}{unit}"
    return {"deploymentConfigName": name, "computePlatform": platform, "trafficRoutingConfig": routing}


# https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
PREDEFINED: dict[str, Config] = {
    one["deploymentConfigName"]: one
    for one in (
        _of_servers("AllAtOnce", "HOST_COUNT", 0),
        _of_servers("HalfAtATime", "FLEET_PERCENT", 50),
        _of_servers("OneAtATime", "HOST_COUNT", 1),
        _at_once("ECS"),
        *(_in_steps("ECS", "Linear", minutes) for minutes in (1, 3)),
        *(_in_steps("ECS", "Canary", minutes) for minutes in (5, 15)),
        _at_once("Lambda"),
        *(_in_steps("Lambda", "Linear", minutes) for minutes in (1, 2, 3, 10)),
        *(_in_steps("Lambda", "Canary", minutes) for minutes in (5, 10, 15, 30)),
    )
}


def create_deployment_config(self: CodeDeployResponse) -> ActionResult:
    """Keep a configuration as it is given: "Creates a deployment configuration."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateDeploymentConfig.html
    """
    asked, made = dict(self.params), _made(self)
    name = asked["deploymentConfigName"]
    if name in made or name in PREDEFINED:
        raise Refusal("DeploymentConfigAlreadyExistsException", f"Deployment Configuration {name} already exists.")
    if name.startswith(PREFIX):
        raise Refusal("InvalidDeploymentConfigNameException", f"A name cannot begin with {PREFIX}")
    platform = asked.setdefault("computePlatform", "Server")
    if platform == "Server" and not asked.get("minimumHealthyHosts"):
        raise Refusal("InvalidMinimumHealthyHostValueException", "The minimum healthy instances must be specified.")
    if platform != "Server":
        _check_routing(asked.setdefault("trafficRoutingConfig", {"type": "AllAtOnce"}))
    asked |= {"deploymentConfigId": str(mock_random.uuid4()), "createTime": datetime.now(UTC)}
    made[name] = asked
    return ActionResult({"deploymentConfigId": asked["deploymentConfigId"]})


def get_deployment_config(self: CodeDeployResponse) -> ActionResult:
    """Return a configuration: "Gets information about a deployment configuration."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeploymentConfig.html
    """
    return ActionResult({"deploymentConfigInfo": config_of(self, self.params["deploymentConfigName"])})


def list_deployment_configs(self: CodeDeployResponse) -> ActionResult:
    """Return all names: "Lists the deployment configurations with the user or AWS account."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ListDeploymentConfigs.html
    """
    names, start = [*PREDEFINED, *_made(self)], int(self.params.get("nextToken") or 0)
    page = {"nextToken": str(start + PAGE)} if len(names) > start + PAGE else {}
    return ActionResult({"deploymentConfigsList": names[start : start + PAGE], **page})


def delete_deployment_config(self: CodeDeployResponse) -> EmptyResult:
    """Remove a configuration: "A deployment configuration cannot be deleted if it is currently in use. Predefined
    configurations cannot be deleted."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeleteDeploymentConfig.html
    """
    name = self.params["deploymentConfigName"]
    if name in PREDEFINED:
        raise Refusal("InvalidOperationException", f"The predefined configuration {name} cannot be deleted.")
    groups = [one for groups in self.codedeploy_backend.deployment_groups.values() for one in groups.values()]
    if any(one.deployment_config_name == name for one in groups):
        raise Refusal("DeploymentConfigInUseException", f"The deployment configuration {name} is still in use.")
    _made(self).pop(name, None)
    return EmptyResult()


def config_of(response: CodeDeployResponse, name: str) -> Config:
    """Return a configuration that is there."""
    found = PREDEFINED.get(name) or _made(response).get(name)
    if found is None:
        raise Refusal("DeploymentConfigDoesNotExistException", f"No Deployment Configuration found for name: {name}")
    return found


def check_exists(response: CodeDeployResponse, name: str | None) -> None:
    """Refuse a configuration that is named and not there."""
    if name:
        config_of(response, name)


def _check_routing(routing: Config) -> None:
    """Refuse a share of the traffic that is none: "The percentage of traffic to shift in the first increment of a
    TimeBasedCanary deployment."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_TimeBasedCanary.html
    """
    kind = {"TimeBasedCanary": "canary", "TimeBasedLinear": "linear"}.get(routing.get("type", ""))
    if kind is None:
        return
    timing = routing.get(f"timeBased{kind.title()}", {})
    if not 0 < timing.get(f"{kind}Percentage", 0) < 100 or timing.get(f"{kind}Interval", 0) < 1:
        raise Refusal(
            "InvalidTrafficRoutingConfigurationException", "Percentage must be 1 to 99, and interval 1 minute or more."
        )


def _made(response: CodeDeployResponse) -> dict[str, Config]:
    return _MADE.setdefault((response.current_account, response.region), {})


def add() -> None:
    """Put them beside moto's."""
    for operation in (
        create_deployment_config,
        get_deployment_config,
        list_deployment_configs,
        delete_deployment_config,
    ):
        setattr(CodeDeployResponse, operation.__name__, operation)

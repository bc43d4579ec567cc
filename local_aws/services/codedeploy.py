"""CodeDeploy: applications and deployment groups, told as they were given."""

from typing import Any

from moto.codedeploy import models, responses
from moto.codedeploy.models import CodeDeployBackend, DeploymentGroup
from moto.codedeploy.responses import CodeDeployResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.moto_api._internal import mock_random

from local_aws.services import codedeploy_configs
from local_aws.services.codedeploy_configs import check_exists
from local_aws.services.errors import Refusal

# What UpdateDeploymentGroup replaces, and what moto calls it.
CHANGED = {
    "deploymentConfigName": "deployment_config_name",
    "ec2TagFilters": "ec2_tag_filters",
    "onPremisesInstanceTagFilters": "on_premises_instance_tag_filters",
    "autoScalingGroups": "auto_scaling_groups",
    "serviceRoleArn": "service_role_arn",
    "triggerConfigurations": "trigger_configurations",
    "alarmConfiguration": "alarm_configuration",
    "autoRollbackConfiguration": "auto_rollback_configuration",
    "outdatedInstancesStrategy": "outdated_instances_strategy",
    "deploymentStyle": "deployment_style",
    "blueGreenDeploymentConfiguration": "blue_green_deployment_configuration",
    "loadBalancerInfo": "load_balancer_info",
    "ec2TagSet": "ec2_tag_set",
    "ecsServices": "ecs_services",
    "onPremisesTagSet": "on_premises_tag_set",
    "terminationHookEnabled": "termination_hook_enabled",
}
_create_group = CodeDeployResponse.create_deployment_group


def delete_application(self: CodeDeployResponse) -> EmptyResult:
    """Remove an application with its groups: "Deletes an application." One that is not there is no error.

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeleteApplication.html
    """
    backend, name = self.codedeploy_backend, self.params["applicationName"]
    for group in list(backend.deployment_groups.get(name, {})):
        _remove_group(backend, name, group)
    backend.deployment_groups.pop(name, None)
    if backend.applications.pop(name, None):
        backend.tagger.delete_all_tags_for_resource(backend._application_arn(name))
    return EmptyResult()


def update_application(self: CodeDeployResponse) -> EmptyResult:
    """Rename an application, with its groups and tags: "Changes the name of an application."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_UpdateApplication.html
    """
    backend, asked = self.codedeploy_backend, self.params
    application = backend.get_application(asked["applicationName"])
    old, new = application.application_name, asked.get("newApplicationName") or application.application_name
    if new == old:
        return EmptyResult()
    if new in backend.applications:
        raise Refusal("ApplicationAlreadyExistsException", f"The application {new} already exists.")
    _move_tags(backend, backend._application_arn(old), backend._application_arn(new))
    for name in backend.deployment_groups.get(old, {}):
        _move_tags(backend, backend._deployment_group_arn(old, name), backend._deployment_group_arn(new, name))
    application.application_name = new
    backend.applications[new] = backend.applications.pop(old)
    if old in backend.deployment_groups:
        backend.deployment_groups[new] = backend.deployment_groups.pop(old)
    return EmptyResult()


def create_deployment_group(self: CodeDeployResponse) -> ActionResult:
    """Keep a group as it is given; its configuration has to exist: "DeploymentConfigDoesNotExistException: The
    deployment configuration does not exist with the user or AWS account."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateDeploymentGroup.html
    """
    asked = self.params
    check_exists(self, asked.get("deploymentConfigName"))
    application = self.codedeploy_backend.get_application(asked["applicationName"])
    if application.compute_platform == "ECS":
        _check_of_ecs(asked)
        asked.setdefault("deploymentConfigName", "CodeDeployDefault.ECSAllAtOnce")
    return _create_group(self)


def get_deployment_group(self: CodeDeployResponse) -> ActionResult:
    """Return a group as it was given: "Gets information about a deployment group."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeploymentGroup.html
    """
    asked = self.params
    group = self.codedeploy_backend.get_deployment_group(asked["applicationName"], asked["deploymentGroupName"])
    return ActionResult({"deploymentGroupInfo": told(group)})


def batch_get_deployment_groups(self: CodeDeployResponse) -> ActionResult:
    """Return several groups of one application: "Gets information about one or more deployment groups."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_BatchGetDeploymentGroups.html
    """
    backend, asked = self.codedeploy_backend, self.params
    groups = [
        backend.get_deployment_group(asked["applicationName"], name) for name in asked.get("deploymentGroupNames", [])
    ]
    return ActionResult({"deploymentGroupsInfo": [told(one) for one in groups]})


def update_deployment_group(self: CodeDeployResponse) -> ActionResult:
    """Replace what is given and keep the rest: "Changes information about a deployment group."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_UpdateDeploymentGroup.html
    """
    backend, asked = self.codedeploy_backend, self.params
    application, name = asked["applicationName"], asked["currentDeploymentGroupName"]
    group = backend.get_deployment_group(application, name)
    check_exists(self, asked.get("deploymentConfigName"))
    new = asked.get("newDeploymentGroupName") or name
    if new != name and new in backend.deployment_groups[application]:
        raise Refusal("DeploymentGroupAlreadyExistsException", f"Deployment group {new} already exists.")
    for given, kept in CHANGED.items():
        if given in asked:
            setattr(group, kept, asked[given])
    if new != name:
        group.deployment_group_name = new
        backend.deployment_groups[application][new] = backend.deployment_groups[application].pop(name)
        _move_tags(
            backend, backend._deployment_group_arn(application, name), backend._deployment_group_arn(application, new)
        )
    return ActionResult({"hooksNotCleanedUp": []})


def delete_deployment_group(self: CodeDeployResponse) -> ActionResult:
    """Remove a group: "If the output contains no data, and the corresponding deployment group contained at least one
    Auto Scaling group, CodeDeploy successfully removed all corresponding Auto Scaling lifecycle event hooks". One that
    is not there is no error.

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeleteDeploymentGroup.html
    """
    _remove_group(self.codedeploy_backend, self.params["applicationName"], self.params["deploymentGroupName"])
    return ActionResult({"hooksNotCleanedUp": []})


def told(group: DeploymentGroup) -> dict[str, Any]:
    """Return what there is to say of a group; what was not given of it is left out."""
    info = responses._deployment_group_info(group) | {"alarmConfiguration": group.alarm_configuration}
    empty_left_out = ("targetRevision", "lastSuccessfulDeployment", "lastAttemptedDeployment", "alarmConfiguration")
    return {name: value for name, value in info.items() if value or name not in empty_left_out}


def _check_of_ecs(asked: dict[str, Any]) -> None:
    """Refuse what cannot be on ECS: "InvalidDeploymentStyleException: An invalid deployment style was specified."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateDeploymentGroup.html
    """
    style = asked.get("deploymentStyle", {})
    if (style.get("deploymentType"), style.get("deploymentOption")) != ("BLUE_GREEN", "WITH_TRAFFIC_CONTROL"):
        raise Refusal(
            "InvalidDeploymentStyleException",
            "For ECS deployment group, deployment type must be BLUE_GREEN and deployment option WITH_TRAFFIC_CONTROL.",
        )
    if not asked.get("ecsServices"):
        raise Refusal("InvalidECSServiceException", "For ECS deployment group, ecsServices must be specified.")
    if not asked.get("loadBalancerInfo", {}).get("targetGroupPairInfoList"):
        raise Refusal(
            "InvalidLoadBalancerInfoException", "For ECS deployment group, targetGroupPairInfoList must be specified."
        )


def _remove_group(backend: CodeDeployBackend, application: str, name: str) -> None:
    if backend.deployment_groups.get(application, {}).pop(name, None):
        backend.tagger.delete_all_tags_for_resource(backend._deployment_group_arn(application, name))


def _move_tags(backend: CodeDeployBackend, old: str, new: str) -> None:
    backend.tagger.copy_tags(old, new)
    backend.tagger.delete_all_tags_for_resource(old)


def add() -> None:
    """Put ours in place of moto's, or beside them; names are drawn so that a request done again draws the same."""
    vars(models)["uuid"] = mock_random
    codedeploy_configs.add()
    for operation in (
        delete_application,
        update_application,
        create_deployment_group,
        get_deployment_group,
        batch_get_deployment_groups,
        update_deployment_group,
        delete_deployment_group,
    ):
        setattr(CodeDeployResponse, operation.__name__, operation)

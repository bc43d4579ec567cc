"""Application Auto Scaling: targets with tags, and policies, which are kept; nothing is scaled."""

import json
from typing import Any

from moto.applicationautoscaling.models import (
    ApplicationAutoscalingBackend,
    FakeApplicationAutoscalingPolicy,
    FakeScalableTarget,
)
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from local_aws.services.errors import Refusal

_TAGS: dict[str, dict[str, str]] = {}  # by the ARN of a target
_register, _deregister = (
    ApplicationAutoScalingResponse.register_scalable_target,
    ApplicationAutoScalingResponse.deregister_scalable_target,
)
_put_policy = ApplicationAutoScalingResponse.put_scaling_policy
Key = tuple[str, str, str]


def register_scalable_target(self: ApplicationAutoScalingResponse) -> str:
    """Keep a target with its tags: "Assigns one or more tags to the scalable target. Use this parameter to tag the
    scalable target when it is created."

    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
    """
    is_new = _target_of(self) is None
    answer = str(_register(self))
    target = _target_of(self)
    if target is not None and is_new:
        _TAGS[target.arn] = dict(self._get_param("Tags") or {})
        vars(target)["suspended_state"] = _suspended(self._get_param("SuspendedState"))
        target.role_arn = target.role_arn or _service_linked_role(self.applicationautoscaling_backend, target)
    return answer


def deregister_scalable_target(self: ApplicationAutoScalingResponse) -> str:
    """Remove a target: "Deregistering a scalable target deletes the scaling policies and the scheduled actions that are
    associated with it."

    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
    """
    backend, target, key = self.applicationautoscaling_backend, _target_of(self), _key(self)
    if target is None:
        raise Refusal("ObjectNotFoundException", f"No scalable target found for {' '.join(key)}")
    answer = str(_deregister(self))
    for policy in list(backend.policies.values()):
        if (policy.service_namespace, policy.resource_id, policy.scalable_dimension) == key:
            backend.delete_scaling_policy(policy.policy_name, *key)
    backend.scheduled_actions = [
        one
        for one in backend.scheduled_actions
        if (one.service_namespace, one.resource_id, one.scalable_dimension) != key
    ]
    _TAGS.pop(target.arn, None)
    return answer


def put_scaling_policy(self: ApplicationAutoScalingResponse) -> Any:
    """Keep a policy; one that is put again is the same one: "Creates or updates a scaling policy for an Application
    Auto Scaling scalable target." "You cannot create a scaling policy until you have registered the resource as a
    scalable target."

    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html
    """
    key = _key(self)
    if _target_of(self) is None:
        raise Refusal("ObjectNotFoundException", f"No scalable target registered for {' '.join(key)}")
    backend = self.applicationautoscaling_backend
    name = FakeApplicationAutoscalingPolicy.formulate_key(*key, self._get_param("PolicyName"))
    before = backend.policies.get(name)
    answer = _put_policy(self)
    if before is None:
        return answer
    before.delete_alarms(backend.account_id, backend.region_name)
    policy = backend.policies[name]
    policy.policy_arn, policy.creation_time = before.policy_arn, before.creation_time
    return json.dumps({**json.loads(answer), "PolicyARN": policy.policy_arn})


def list_tags_for_resource(self: ApplicationAutoScalingResponse) -> ActionResult:
    """Return the tags of a target: "Returns all the tags on the specified Application Auto Scaling scalable target."

    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_ListTagsForResource.html
    """
    return ActionResult({"Tags": _tags_of(self)})


def tag_resource(self: ApplicationAutoScalingResponse) -> EmptyResult:
    """Add or change tags of a target: "Adds or edits tags on an Application Auto Scaling scalable target."

    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TagResource.html
    """
    _tags_of(self).update(self._get_param("Tags"))
    return EmptyResult()


def untag_resource(self: ApplicationAutoScalingResponse) -> EmptyResult:
    """Remove tags of a target: "Deletes tags from an Application Auto Scaling scalable target."

    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_UntagResource.html
    """
    tags = _tags_of(self)
    for key in self._get_param("TagKeys"):
        tags.pop(key, None)
    return EmptyResult()


def _tags_of(response: ApplicationAutoScalingResponse) -> dict[str, str]:
    arn, backend = response._get_param("ResourceARN"), response.applicationautoscaling_backend
    if not any(one.arn == arn for targets in backend.targets.values() for one in targets.values()):
        raise Refusal("ResourceNotFoundException", f"The resource {arn} does not exist.")
    return _TAGS.setdefault(arn, {})


def _key(response: ApplicationAutoScalingResponse) -> Key:
    namespace, resource, dimension = (
        str(response._get_param(name)) for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")
    )
    return namespace, resource, dimension


def _target_of(response: ApplicationAutoScalingResponse) -> FakeScalableTarget | None:
    _, resource, dimension = _key(response)
    found: FakeScalableTarget | None = response.applicationautoscaling_backend.targets.get(dimension, {}).get(resource)
    return found


def _suspended(given: dict[str, bool] | None) -> dict[str, bool]:
    names = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
    return dict.fromkeys(names, False) | (given or {})


def _service_linked_role(backend: ApplicationAutoscalingBackend, target: FakeScalableTarget) -> str:
    """Return who scales when nobody is named: "If the service supports service-linked roles, Application Auto Scaling
    uses a service-linked role, which it creates if it does not yet exist."

    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
    """
    service = {"ecs": "ECSService", "rds": "RDSCluster", "dynamodb": "DynamoDBTable"}.get(target.service_namespace)
    if service is None:
        return ""
    path = f"role/aws-service-role/{target.service_namespace}.application-autoscaling"
    role = f"AWSServiceRoleForApplicationAutoScaling_{service}"
    return f"arn:{backend.partition}:iam::{backend.account_id}:{path}/{role}"


def add() -> None:
    """Put ours in place of moto's, or beside them."""
    for operation in (
        register_scalable_target,
        deregister_scalable_target,
        put_scaling_policy,
        list_tags_for_resource,
        tag_resource,
        untag_resource,
    ):
        setattr(ApplicationAutoScalingResponse, operation.__name__, operation)

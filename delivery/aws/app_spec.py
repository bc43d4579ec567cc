"""The AppSpec file of a deployment to ECS: written for CodeDeploy, and read back from what it keeps.

https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html
"""

import json
from collections.abc import Mapping
from typing import Any


def app_spec(definition: str, container: str, port: int, hooks: Mapping[str, str]) -> str:
    """Return a revision's content: a task definition, the container that requests come to, event → function."""
    target = {
        "Type": "AWS::ECS::Service",
        "Properties": {
            "TaskDefinition": definition,
            "LoadBalancerInfo": {"ContainerName": container, "ContainerPort": port},
        },
    }
    told = {"version": 0.0, "Resources": [{"TargetService": target}]}
    if hooks:
        told["Hooks"] = [{event: function} for event, function in hooks.items()]
    return json.dumps(told)


def definition_in(told: Mapping[str, Any]) -> str:
    """Return the task definition of a deployment's revision; empty for one that somebody wrote in another way."""
    content = ((told.get("revision") or {}).get("appSpecContent") or {}).get("content") or ""
    try:
        [resource] = json.loads(content)["Resources"]
        return str(resource["TargetService"]["Properties"]["TaskDefinition"])
    except (ValueError, KeyError, TypeError):
        return ""

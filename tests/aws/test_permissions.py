"""What Headway asks of AWS in a phase is what the role of a phase may: on a local AWS nobody else would notice."""

import ast
from collections import defaultdict
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from delivery.aws.failures import action_of
from tests.architecture.sources import ROOT

ROLES = (ROOT / "infra" / "aws" / "modules" / "roles" / "main.tf").read_text()
SERVICES = (
    "ecs",
    "ecr",
    "elbv2",
    "s3",
    "secretsmanager",
    "logs",
    "rds",
    "cloudwatch",
    "service-quotas",
    "ec2",
    "backup",
    "codedeploy",
    "sqs",
)
# Asked with the credentials of whoever runs Headway: the store, the bootstrap, a look at oneself.
WITHOUT_A_ROLE = ("access.py", "s3_leases.py", "s3_store.py", "state_bucket.py", "what_stays.py")
OF_THE_STORE = {"get_object_lock_configuration"}


def actions() -> dict[str, list[str]]:
    """Return what boto3 calls an operation → the actions that it may be in a policy."""
    session, found = botocore.session.get_session(), defaultdict(list)
    for service in SERVICES:
        for operation in session.get_service_model(service).operation_names:
            found[xform_name(operation)].append(action_of(service, operation))
    return found


def asked_in(path: Path) -> set[str]:
    """Return every name that might be one of an operation: attributes, and pages that are asked for by name."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return names | {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize(
    "path",
    [one for one in sorted((ROOT / "delivery" / "aws").glob("*.py")) if one.name not in WITHOUT_A_ROLE],
    ids=lambda path: path.stem,
)
def test_a_phase_may_what_is_asked_in_it(path: Path) -> None:
    known = actions()

    missing = {
        name: known[name]
        for name in asked_in(path) & set(known) - OF_THE_STORE
        if not any(f'"{action}"' in ROLES for action in known[name])
    }

    assert missing == {}


def test_an_action_is_called_as_policies_call_it() -> None:
    assert action_of("service-quotas", "GetServiceQuota") == "servicequotas:GetServiceQuota"
    assert action_of("elbv2", "DescribeRules") == "elasticloadbalancing:DescribeRules"

"""Errors of AWS, sorted by what the caller does next; the codes are those of AWS's documentation."""

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ProfileNotFound,
    ReadTimeoutError,
)

from delivery.aws.failures import aws_errors
from delivery.errors import Misconfigured, Rejected, Transient


def answered(code, message="told so", operation="RunTask", status=400):
    told = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(told, operation)


@pytest.mark.parametrize(
    ("service", "error", "kind"),
    [
        ("ecs", answered("ThrottlingException"), Transient),
        ("s3", answered("SlowDown", status=503), Transient),
        ("ec2", answered("RequestLimitExceeded"), Transient),
        ("s3", answered("ConditionalRequestConflict", status=409), Transient),
        ("ecs", answered("ServerException", status=500), Transient),
        ("s3", answered("503", status=503), Transient),
        ("ecs", ReadTimeoutError(endpoint_url="http://aws"), Transient),
        ("ecs", ConnectTimeoutError(endpoint_url="http://aws"), Transient),
        ("ecs", EndpointConnectionError(endpoint_url="http://aws"), Transient),
        ("ecs", answered("ClusterNotFoundException"), Rejected),
        ("ecs", answered("InvalidParameterException"), Rejected),
        ("ecs", ParamValidationError(report="cpu"), Misconfigured),
        ("ecs", NoCredentialsError(), Misconfigured),
        ("ecs", ProfileNotFound(profile="shop"), Misconfigured),
        ("ecs", answered("ExpiredTokenException"), Misconfigured),
        ("ecs", answered("UnrecognizedClientException"), Misconfigured),
        ("ecs", answered("AccessDeniedException"), Misconfigured),
    ],
)
def test_an_error_says_what_is_to_be_done_about_it(service, error, kind):
    with pytest.raises(kind) as told, aws_errors(service):
        raise error

    assert told.value.__cause__ is error


@pytest.mark.parametrize(
    ("service", "operation", "message", "action"),
    [
        (
            "ecs",
            "RunTask",
            "User: arn:aws:iam::1:role/ci is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:x",
            "iam:PassRole",
        ),
        ("s3", "ListObjectsV2", "Access Denied", "s3:ListBucket"),
        ("s3", "HeadObject", "Forbidden", "s3:GetObject"),
        ("secretsmanager", "GetSecretValue", "Access Denied", "secretsmanager:GetSecretValue"),
        ("elbv2", "DescribeRules", "Access Denied", "elasticloadbalancing:DescribeRules"),
    ],
)
def test_whoever_may_not_is_told_which_action_is_missing(service, operation, message, action):
    with pytest.raises(Misconfigured) as told, aws_errors(service):
        raise answered("AccessDenied", message, operation, 403)

    assert told.value.next_step == f"allow {action} to the role or user of this phase"


def test_a_role_that_cannot_be_assumed_is_named_with_both_sides_of_the_permission():
    message = (
        "User: arn:aws:iam::1:user/ci is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::2:role/x"
    )
    with pytest.raises(Misconfigured, match="AWS role arn:aws:iam::2:role/x: cannot be assumed") as told:
        with aws_errors("sts"):
            raise answered("AccessDenied", message, "AssumeRole", 403)

    assert "trust policy" in told.value.next_step

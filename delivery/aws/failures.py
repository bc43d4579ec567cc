"""What AWS answers instead of an answer, sorted by what the caller does next."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from delivery.errors import HeadwayError, Misconfigured, Rejected, Transient

# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html: errors that are throttles, or transient.
THROTTLES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
    }
)
TIMED_OUT = frozenset({"RequestTimeout", "RequestTimeoutException", "ConditionalRequestConflict", "OperationAborted"})
DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AuthorizationError",
        "NotAuthorized",
        "AuthFailure",
        "403",
    }
)
# Keys that AWS does not know, and those whose time is over.
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
UNKNOWN_KEYS = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "InvalidSignatureException",
    }
)
BUCKETS = {"NoSuchBucket": "there is none of that name", "PermanentRedirect": "it is in another region"}
NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.ProfileNotFound,
    exceptions.TokenRetrievalError,
    exceptions.SSOError,
)
NOT_REACHED = (exceptions.HTTPClientError, exceptions.ConnectionError)
# The names of services as policies write them, where that is not how boto3 calls them.
IN_POLICIES = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas"}
# Operations whose action in a policy is called otherwise:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
ACTIONS = {
    ("s3", "HeadObject"): "GetObject",
    ("s3", "HeadBucket"): "ListBucket",
    ("s3", "ListObjectsV2"): "ListBucket",
    ("s3", "DeleteObjects"): "DeleteObject",
}
_TOLD_ACTION = re.compile(r"not authorized to perform:? ?(?P<action>[a-z0-9-]+:[A-Za-z0-9*]+)")
_TOLD_WHO = re.compile(r"User: (?P<who>\S+) is not authorized")


@contextmanager
def aws_errors(service: str) -> Iterator[None]:
    """Turn botocore's errors into Headway's; `service` is what boto3 calls the one that is asked.

    Throttled, timed out, or failed on AWS's side: Transient. Denied: Misconfigured, with the action that is missing.
    Credentials that are missing, unknown or over: Misconfigured. Everything else that AWS refuses: Rejected.
    """
    try:
        yield
    except ClientError as error:
        raise sorted_error(service, error) from error
    except NO_CREDENTIALS as error:
        raise Misconfigured("AWS credentials", str(error), next_step=_ANOTHER) from error
    except NOT_REACHED as error:
        raise Transient(f"AWS {service} was not reached: {error}") from error
    except BotoCoreError as error:
        raise Misconfigured(f"AWS {service}", str(error)) from error


_ANOTHER = "log in again (aws sso login), or renew the AWS Credentials block of the environment"


def sorted_error(service: str, error: ClientError) -> HeadwayError:
    """Return the error that says what is to be done about AWS's."""
    told, operation = error.response.get("Error", {}), error.operation_name
    code, message = str(told.get("Code", "")), str(told.get("Message", "")) or str(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if operation == "AssumeRole" and code not in (*EXPIRED, *UNKNOWN_KEYS, *THROTTLES) and status < 500:
        return Misconfigured(
            f"AWS role {_role_in(message)}",
            f"cannot be assumed: {message}",
            next_step="let its trust policy name who asks, and who asks be allowed sts:AssumeRole on it",
        )
    if code in THROTTLES or code in TIMED_OUT or status >= 500 or status == 429:
        return Transient(f"AWS {service} {operation}: {code}: {message}")
    if code in EXPIRED:
        return Misconfigured("AWS credentials", f"their time is over: {message}", next_step=_ANOTHER)
    if code in UNKNOWN_KEYS:
        return Misconfigured("AWS credentials", f"AWS does not know them: {message}", next_step=_ANOTHER)
    if code in BUCKETS:
        return Misconfigured(f"bucket {told.get('BucketName', '')}".rstrip(), f"{BUCKETS[code]}: {message}")
    if code in DENIED:
        return denied(service, operation, message)
    return Rejected(f"AWS {service} {operation}: {code}: {message}")


def denied(service: str, operation: str, message: str) -> Misconfigured:
    """Return the error for what the credentials may not do, with the action that a policy has to allow."""
    found = _TOLD_ACTION.search(message)
    action = found["action"] if found else action_of(service, operation)
    who = _TOLD_WHO.search(message)
    return Misconfigured(
        f"AWS {service} {operation}",
        f"{who['who'] if who else 'the credentials'} may not: {message}",
        next_step=f"allow {action} to the role or user of this phase",
    )


def action_of(service: str, operation: str) -> str:
    """Return the action of a policy that allows an operation."""
    return f"{IN_POLICIES.get(service, service)}:{ACTIONS.get((service, operation), operation)}"


def code_of(error: ClientError) -> str:
    """Return AWS's code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def check_region(session: boto3.Session, service: str, region: str) -> None:
    """Return unless a region is known to be one and to lack the service: newer ones are not known here."""
    there, everywhere = session.get_available_regions(service), session.get_available_regions("ec2")
    if there and region not in there and region in everywhere:
        raise Misconfigured(f"AWS region {region}", f"has no {service}", ", ".join(there))


def _role_in(message: str) -> str:
    found = re.search(r"arn:aws[a-z-]*:iam::\d*:role/[\w+=,.@/-]+", message)
    return found[0] if found else ""

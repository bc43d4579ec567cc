"""Who asks ECR for what, and which repository is meant: another account's only as its policy allows."""

from moto.ecr.models import Repository, ecr_backends
from moto.ecr.responses import ECRResponse
from moto.sts.models import sts_backends

from local_aws.installation import current
from local_aws.registry.answers import Refused
from local_aws.registry.protocol import check_allowed
from local_aws.registry.tokens import Principal
from local_aws.services.errors import Refusal


def registry_uri(account: str, region: str) -> str:
    """Return what stands in front of a repository's name; it keeps accounts and regions apart, as ECR's does."""
    return f"{current().address}/{account}/{region}"


def principal_of(response: ECRResponse) -> Principal:
    """Return who asks, with the ARNs a policy may know it by: its own, and that of the role it assumed."""
    key, account = response.get_access_key(), response.current_account
    sts = sts_backends[account]["aws"]
    role = sts.get_assumed_role_from_access_key(key)
    _, arn, _ = sts.get_caller_identity(key, response.region)
    return Principal(account, (arn, role.role_arn) if role else (arn,))


def repository_of(response: ECRResponse, action: str) -> Repository:
    """Return the repository that is asked about, which may be another account's.

    Raises RepositoryNotFoundException for one that is not there, AccessDeniedException for what its policy does not
    allow: https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html.
    """
    account = response._get_param("registryId") or response.current_account
    found: Repository = ecr_backends[account][response.region]._get_repository(response._get_param("repositoryName"))
    try:
        check_allowed(found, principal_of(response), action)
    except Refused as error:
        raise Refusal("AccessDeniedException", error.message) from error
    return found

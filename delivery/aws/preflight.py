"""Whether the credentials of an account work, each role that a phase assumes, and there is what its tasks need."""

from functools import partial

from botocore.exceptions import ClientError

from delivery.aws.access import AwsAccess, account_of
from delivery.aws.bucket import check_bucket
from delivery.aws.failures import aws_errors, code_of
from delivery.aws.service_preflight import service_looks
from delivery.aws.service_ways import ways_of
from delivery.aws.stack_outputs import is_known, task_settings
from delivery.aws.task_definition import TaskSettings, check_size
from delivery.errors import Misconfigured
from delivery.ports.aws_account import PHASES, AwsAccount
from delivery.ports.preflight import Look
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.ecs_target import EcsTarget
from delivery.spec.environments import Environment

FARGATE_VCPUS = "L-3032A538"  # "Fargate On-Demand vCPU resource count"


def account_looks(account: AwsAccount, whose: str) -> tuple[Look, ...]:
    """Return what is asked of an account, the one of `whose`; each role only once, whatever phases assume it."""
    access = AwsAccess(account, tries=2)
    looks = [Look(f"AWS credentials of {whose}", partial(_credentials, access))]
    named = {phase: account.roles[phase] for phase in PHASES if phase in account.roles}
    for role in dict.fromkeys(named.values()):
        phases = [phase for phase in PHASES if named.get(phase) == role]
        looks.append(Look(f"AWS role for {', '.join(phases)}", partial(_role, access.in_phase(phases[0]))))
    return tuple(looks)


def target_looks(environment: Environment, settings: EnvironmentSettings) -> tuple[Look, ...]:
    """Return what is asked of a cluster before a release; before its infrastructure was applied nothing can be."""
    target = environment.target
    assert isinstance(target, EcsTarget)
    if not is_known(target, settings):
        if environment.infrastructure is None:  # nobody will ever tell it
            return (Look("target", partial(_said, target, settings)),)
        return (Look("infrastructure", partial(str, "not applied yet: headway run does that")),)
    access = AwsAccess(settings.aws or AwsAccount(), tries=2)
    releasing, found = access.in_phase("release"), task_settings(target, settings)
    looks = task_looks(releasing, found)
    if target.deployer == "none":
        return looks
    return (
        *looks,
        *service_looks(
            releasing, found.cluster, ways_of(target, settings), target.deployer, environment.keep_warm_seconds
        ),
    )


def _said(target: EcsTarget, settings: EnvironmentSettings) -> str:
    """Raise Misconfigured, with the first key that nobody says."""
    if target.deployer != "none":
        ways_of(target, settings)
    return task_settings(target, settings).cluster


def task_looks(access: AwsAccess, settings: TaskSettings) -> tuple[Look, ...]:
    """Return what is asked of the place that an environment's tasks run in."""
    return (
        Look("size of tasks", partial(_size, settings)),
        Look(f"cluster {settings.cluster}", partial(_cluster, access, settings.cluster)),
        Look("network of tasks", partial(_network, access, settings)),
        Look(f"log group {settings.log_group}", partial(_log_group, access, settings.log_group)),
        Look(f"bucket {settings.bucket}", partial(_bucket, access, settings.bucket)),
        Look("quota of Fargate", partial(_quota, access, settings)),
    )


def _size(settings: TaskSettings) -> str:
    check_size(settings.cpu, settings.memory, "tasks")
    return f"{settings.cpu} units of CPU, {settings.memory} MiB"


def _cluster(access: AwsAccess, name: str) -> str:
    with aws_errors("ecs"):
        found = access.client("ecs").describe_clusters(clusters=[name])["clusters"]
    status = found[0]["status"] if found else "none of that name"
    if status != "ACTIVE":
        raise Misconfigured(f"cluster {name}", status, "ACTIVE", f"aws ecs create-cluster --cluster-name {name}")
    return status


def _network(access: AwsAccess, settings: TaskSettings) -> str:
    """Look whether subnets and security groups are there, in one network."""
    client = access.client("ec2")
    with aws_errors("ec2"):
        try:
            subnets = client.describe_subnets(SubnetIds=list(settings.subnets))["Subnets"]
            groups = client.describe_security_groups(GroupIds=list(settings.security_groups))["SecurityGroups"]
        except ClientError as error:
            if not code_of(error).endswith((".NotFound", ".Malformed")):
                raise
            raise Misconfigured("network of tasks", error.response["Error"]["Message"]) from error
    networks = {one["VpcId"] for one in (*subnets, *groups)}
    if len(networks) > 1:
        raise Misconfigured("network of tasks", f"subnets and security groups of {', '.join(sorted(networks))}", "one")
    free = sum(one["AvailableIpAddressCount"] for one in subnets)
    if not free:
        raise Misconfigured("network of tasks", "its subnets have no free address", next_step="name a larger subnet")
    return f"{networks.pop()}, {free} free addresses"


def _log_group(access: AwsAccess, name: str) -> str:
    """Look whether it is there: a task whose log group is not fails before it starts."""
    with aws_errors("logs"):
        told = access.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    found = next((one for one in told if one["logGroupName"] == name), None)
    if found is None:
        step = f"aws logs create-log-group --log-group-name {name}"
        raise Misconfigured(f"log group {name}", "there is none of that name", next_step=step)
    days = found.get("retentionInDays")
    return f"kept for {days} days" if days else "kept for ever"


def _bucket(access: AwsAccess, name: str) -> str:
    check_bucket(access.client("s3"), name, "tasks")
    return "is there"


def _quota(access: AwsAccess, settings: TaskSettings) -> str:
    """Look whether the account may run one more task at all; what others use is not known.

    An account without a value of its own has AWS's default, which is not told
    (https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html).
    """
    client = access.client("service-quotas")
    with aws_errors("service-quotas"):
        try:
            allowed = client.get_service_quota(ServiceCode="fargate", QuotaCode=FARGATE_VCPUS)["Quota"]["Value"]
        except ClientError as error:
            if code_of(error) == "NoSuchResourceException":
                return "AWS's default"
            raise
    needed = settings.cpu / 1024
    if allowed < needed:
        step = f"aws service-quotas request-service-quota-increase --service-code fargate --quota-code {FARGATE_VCPUS}"
        raise Misconfigured("quota of Fargate", f"{allowed:g} vCPU, and one task takes {needed:g}", next_step=step)
    return f"{allowed:g} vCPU, and one task takes {needed:g}"


def _credentials(access: AwsAccess) -> str:
    with aws_errors("sts"):
        told = access.client("sts").get_caller_identity()
    return f"{told['Arn']} in {access.client('sts').meta.region_name}"


def _role(access: AwsAccess) -> str:
    return f"{access.account.role}, in account {account_of(access)}"

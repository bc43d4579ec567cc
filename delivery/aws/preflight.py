"""Whether the credentials of an account work, and each role that a phase assumes."""

from functools import partial

from delivery.aws.access import AwsAccess, account_of
from delivery.aws.failures import aws_errors
from delivery.ports.aws_account import PHASES, AwsAccount
from delivery.ports.preflight import Look


def account_looks(account: AwsAccount, whose: str) -> tuple[Look, ...]:
    """Return what is asked of an account, the one of `whose`; each role only once, whatever phases assume it."""
    access = AwsAccess(account, tries=2)
    looks = [Look(f"AWS credentials of {whose}", partial(_credentials, access))]
    named = {phase: account.roles[phase] for phase in PHASES if phase in account.roles}
    for role in dict.fromkeys(named.values()):
        phases = [phase for phase in PHASES if named.get(phase) == role]
        looks.append(Look(f"AWS role for {', '.join(phases)}", partial(_role, access.in_phase(phases[0]))))
    return tuple(looks)


def _credentials(access: AwsAccess) -> str:
    with aws_errors("sts"):
        told = access.client("sts").get_caller_identity()
    return f"{told['Arn']} in {access.client('sts').meta.region_name}"


def _role(access: AwsAccess) -> str:
    return f"{access.account.role}, in account {account_of(access)}"

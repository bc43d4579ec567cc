"""EC2: what security groups say of their rules, and of those that are gone."""

from typing import Any

from moto.ec2.exceptions import InvalidSecurityGroupRuleIdNotFoundError
from moto.ec2.models import EC2Backend
from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupRule

_revoke_egress = EC2Backend.revoke_security_group_egress
_revoke_ingress = EC2Backend.revoke_security_group_ingress


def _description(self: SecurityGroupRule) -> str | None:
    """Return it also of a rule for another group: "The security group rule description."

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
    """
    found = self.ip_range.get("Description") or self.source_group.get("Description")
    return str(found) if found else None


def _revoke_security_group_egress(self: EC2Backend, *args: Any, **named: Any) -> None:
    group = _group(self, *args, **named)
    _refuse_gone(named, group.egress_rules if group else [])
    _revoke_egress(self, *args, **named)


def _revoke_security_group_ingress(self: EC2Backend, *args: Any, **named: Any) -> None:
    group = _group(self, *args, **named)
    _refuse_gone(named, group.ingress_rules if group else [])
    _revoke_ingress(self, *args, **named)


def _group(backend: EC2Backend, *args: Any, **named: Any) -> SecurityGroup | None:
    name = args[0] if args else named["group_name_or_id"]
    found: SecurityGroup | None = backend.get_security_group_by_name_or_id(name, named.get("vpc_id"))
    return found


def _refuse_gone(named: dict[str, Any], rules: list[SecurityGroupRule]) -> None:
    """Name the rule that is not there, as clients take it: who asks again for lack of an answer finds it gone.

    "InvalidSecurityGroupRuleId.NotFound: The specified security group rule ID does not exist."
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    there = {rule.id for rule in rules}
    for asked in named.get("security_rule_ids") or []:
        if asked not in there:
            raise InvalidSecurityGroupRuleIdNotFoundError(asked)


def add() -> None:
    """Put ours in place of moto's."""
    SecurityGroupRule.description = property(_description)  # type: ignore[assignment]
    EC2Backend.revoke_security_group_egress = _revoke_security_group_egress  # type: ignore[assignment,method-assign]
    EC2Backend.revoke_security_group_ingress = _revoke_security_group_ingress  # type: ignore[assignment,method-assign]

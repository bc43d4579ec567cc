"""EC2: rules of security groups say why they are there, whatever they let in."""

from moto.ec2.models.security_groups import SecurityGroupRule


def _description(self: SecurityGroupRule) -> str | None:
    """Return it also of a rule for another group: "The security group rule description."

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
    """
    found = self.ip_range.get("Description") or self.source_group.get("Description")
    return str(found) if found else None


def add() -> None:
    """Put ours in place of moto's."""
    SecurityGroupRule.description = property(_description)  # type: ignore[assignment]

"""The second region of an environment: what headway.yaml says of it, and the stack's outputs for the rest."""

import re
from dataclasses import dataclass
from typing import Any

from delivery.aws.stack_outputs import missing, output, where
from delivery.aws.task_definition import TaskSettings
from delivery.errors import Misconfigured
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.ecs_target import EcsTarget

# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbackup.html
_VAULT = re.compile(r"arn:aws[a-z-]*:backup:(?P<region>[a-z0-9-]+):\d{12}:backup-vault:(?P<name>[A-Za-z0-9_-]{2,50})")


@dataclass(frozen=True)
class SecondSettings:
    """Vaults and role of backups that are copied, and with what one is restored; `tasks` read what was restored."""

    region: str
    vault: str
    copy_vault: str
    role: str
    keep_days: int
    subnet_group: str | None
    security_groups: tuple[str, ...]
    parameter_group: str | None
    tasks: TaskSettings | None

    @property
    def copy_name(self) -> str:
        """The name of the vault in the second region."""
        return self.copy_vault.rpartition(":")[2]

    @property
    def place(self) -> str:
        """What people call it."""
        return f"{self.region}, vault {self.copy_name}"

    @property
    def lacks(self) -> str:
        """Which key keeps a copy from being restored; empty: none."""
        found = {"subnet_group": self.subnet_group, "security_groups": self.security_groups}
        return next((f"target.second_region.{key}" for key, value in found.items() if not value), "")


def second_settings(target: EcsTarget, settings: EnvironmentSettings) -> SecondSettings | None:
    """Return what is known of the second region; none where no copies are made.

    Raises Misconfigured, with the key, when a part alone is said.
    """
    said, vaults, told = target.second_region, output(settings, "backup"), output(settings, "second_region")
    found = {
        "vault": said.vault or vaults.get("vault"),
        "copy_vault": said.copy_vault or vaults.get("copy_vault"),
        "role": said.role or vaults.get("role"),
    }
    if not any((said.vault, said.copy_vault, said.role)) and not all(found.values()):
        return None
    for key, value in found.items():
        if not value:
            missing(settings, f"second_region.{key}", f"backup.{key}")
    named = _VAULT.fullmatch(str(found["copy_vault"]))
    if named is None:
        raise Misconfigured(
            where(settings, "second_region.copy_vault"),
            str(found["copy_vault"]),
            "the ARN of a vault: arn:aws:backup:REGION:ACCOUNT:backup-vault:NAME",
        )
    return SecondSettings(
        region=named["region"],
        vault=str(found["vault"]),
        copy_vault=str(found["copy_vault"]),
        role=str(found["role"]),
        keep_days=said.keep_days,
        subnet_group=said.subnet_group or told.get("subnet_group"),
        security_groups=tuple(said.security_groups or told.get("security_groups") or ()),
        parameter_group=said.parameter_group or told.get("parameter_group"),
        tasks=_tasks(target, settings, told.get("tasks") or {}),
    )


def _tasks(target: EcsTarget, settings: EnvironmentSettings, told: dict[str, Any]) -> TaskSettings | None:
    said = target.second_region.tasks
    named = ("cluster", "subnets", "security_groups", "execution_role", "log_group")
    found: dict[str, Any] = {key: getattr(said, key) or told.get(key) for key in named}
    if not any(found.values()):
        return None
    for key, value in found.items():
        if not value:
            missing(settings, f"second_region.tasks.{key}", f"second_region.tasks.{key}")
    found |= {key: tuple(found[key]) for key in ("subnets", "security_groups")}
    public = said.public_address or bool(told.get("public_address"))
    return TaskSettings(**found, bucket="", public_address=public, courier_image=target.courier_image)

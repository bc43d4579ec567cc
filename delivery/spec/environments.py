"""What stands in headway.yaml about an environment: where it is, what is asked there, how traffic moves."""

from typing import Literal

from pydantic import Field, field_validator

from delivery.model import Model, Name
from delivery.spec.backups import BackupPolicy
from delivery.spec.checks import Check
from delivery.spec.infrastructure import Infrastructure
from delivery.spec.parts import Files
from delivery.spec.refresh import Refresh
from delivery.spec.shift import ShiftPlan, as_plan
from delivery.spec.targets import DEFAULT, TargetConfig


class Approval(Model):
    """Who lets a release into the environment, and how long it is waited for."""

    by: Literal["person", "nobody"] = Field("person", description="nobody: unattended, and the record says so")
    wait: Literal["pause", "suspend"] = Field("pause", description="suspend: no process waits")
    timeout_seconds: int = Field(86400, ge=5, description="after it the release is rejected")


class Watch(Model):
    """How long and how strictly live traffic is looked at."""

    seconds: float = Field(10, ge=0, le=86400, description="after the last shift, before the old slot is retired")
    interval_seconds: float = Field(0.2, gt=0, le=10, description="between two looks at the counters")
    longer_seconds: float = Field(
        120, ge=0, le=86400, description="at most, looked on for while the verdict is inconclusive"
    )
    max_error_percent: float = Field(1.0, ge=0, le=100, description="share of requests that may fail")
    min_requests: int = Field(20, ge=0, description="below it Headway sends its own probes")
    max_slowdown: float = Field(
        3.0, ge=1, description="times the release before, at the median and the 95th percentile"
    )
    max_latency_ms: float | None = Field(
        None, gt=0, description="within it 95 % of requests are answered; none: only compared with the release before"
    )
    when_inconclusive: Literal["withdraw", "continue"] = Field(
        "withdraw", description="when it cannot be told after all that time either"
    )


class Environment(Model):
    """A named place with a target and the policy for getting there."""

    target: TargetConfig = Field(DEFAULT, description="where releases run: a Docker host when `kind` is left out")
    infrastructure: Infrastructure | None = Field(None, description="brought up to date before a release goes there")
    after: Name | None = Field(None, description="the environment a release passes first")
    approval: Approval = Field(Approval(by="nobody"), description="who lets a release in; left out: nobody is asked")
    shift: ShiftPlan = Field(as_plan("AllAtOnce"), description="preset name or plan", validate_default=True)
    watch: Watch = Field(Watch(), description="how live traffic is looked at before the old slot is retired")
    acceptance: tuple[Name, ...] = Field((), description="suites run against the environment; BASE_URL says where")
    checks: tuple[Check, ...] = Field((), description="questions to a release that withdraw it when they fail")
    env: dict[str, str] = Field({}, description="variables of every service here, over those of the service itself")
    env_file: Files | None = Field(None, description="dotenv file, or a list of them; `env` wins over what is in them")
    secrets: dict[str, str] = Field({}, description="variable: name of the Prefect secret block that holds it")
    busy: Literal["queue", "supersede", "reject"] = Field("queue", description="while another change holds it")
    prove_backup: bool = Field(False, description="restore a backup before a release may migrate the database")
    backups: BackupPolicy = Field(BackupPolicy(), description="which backups of the database are taken and kept")
    refresh: Refresh | None = Field(None, description="by whose data, masked, `headway refresh` replaces the database")
    keep_warm_seconds: float = Field(
        0, ge=0, le=172800, description="after the last watch, how long what was replaced stands ready to come back"
    )
    contract_after_seconds: float = Field(
        86400, ge=0, le=31536000, description="how long a release is live before what it marked `contract` may run"
    )
    keep_releases: int = Field(5, ge=1, le=50, description="how many can be rolled back to")

    @field_validator("shift", mode="before")
    @classmethod
    def _preset(cls, value: object) -> object:
        return value if isinstance(value, dict | ShiftPlan) else as_plan(str(value))

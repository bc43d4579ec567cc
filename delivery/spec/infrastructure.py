"""What stands in headway.yaml about the infrastructure of an environment: a stack of Terraform, in a workspace."""

import json
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from delivery.model import Model

# What holds data: to destroy or to replace one of these is allowed by a word of its own.
PROTECTED = (
    "aws_backup_vault",
    "aws_cognito_user_pool",
    "aws_db_instance",
    "aws_dynamodb_table",
    "aws_ecr_repository",
    "aws_efs_file_system",
    "aws_kms_key",
    "aws_rds_cluster",
    "aws_s3_bucket",
    "aws_secretsmanager_secret",
)
NAME_OF_WORKSPACE = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,89}$"


class Infrastructure(Model):
    """A stack that is planned, approved and applied before a release goes where it leads."""

    terraform: str | None = Field(None, description="folder of the stack; it names a backend for its state")
    stack: Literal["aws/environment"] | None = Field(
        None, description="one that Headway brings, instead of a folder: what it can tell of its variables is filled in"
    )
    workspace: str | None = Field(
        None, pattern=NAME_OF_WORKSPACE, description="of the stack; left out: the environment's name"
    )
    variables: dict[str, Any] = Field({}, description="of the stack; no secrets, they would be in its state")
    backend: dict[str, str | bool | int] = Field({}, description="what the stack's backend is told beside its block")
    protected: tuple[str, ...] = Field(
        PROTECTED, description="types of resources that nobody destroys or replaces without a word of its own"
    )
    lock_seconds: int = Field(60, ge=0, le=3600, description="how long whoever holds the state is waited for")
    plan_minutes: int = Field(1440, ge=1, le=10080, description="after it a plan that was not applied is refused")
    timeout_seconds: int = Field(3600, ge=10, le=21600, description="of a plan or an apply")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.terraform is None) == (self.stack is None):
            found = "both" if self.stack else "neither"
            raise ValueError(f"found {found}; allowed: `terraform`, a folder of yours, or `stack`, one of Headway's")
        if self.stack and not self.backend.get("bucket"):
            raise ValueError("backend.bucket: is needed with `stack`: the bucket that its state is in")
        return self

    @field_validator("variables")
    @classmethod
    def _plain(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, one in value.items():
            try:
                json.dumps(one)
            except TypeError as error:
                raise ValueError(
                    f"{name}: found {one!r}; allowed: text, numbers, true and false, lists, maps"
                ) from error
        return value

    @property
    def called(self) -> str:
        """What people call the stack."""
        return self.terraform or f"headway:{self.stack}"

    def workspace_of(self, environment: str) -> str:
        """Return the workspace of an environment."""
        return self.workspace or environment

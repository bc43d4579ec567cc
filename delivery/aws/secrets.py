"""Secrets of Secrets Manager: read where a step needs the value, and referred to where a task gets it itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from pydantic import SecretStr

from delivery.aws.access import AwsAccess
from delivery.aws.failures import aws_errors, code_of
from delivery.errors import Misconfigured, Transient
from delivery.spec.aws_secret import AwsSecretName

# Without a stage moto answers with an older version after one was moved by hand; AWS's default is the same stage.
CURRENT = "AWSCURRENT"
NOT_THERE = "ResourceNotFoundException"


@dataclass(frozen=True)
class SecretsManager:
    """The secrets of one account; `fallback_regions` are those that a secret is replicated to."""

    access: AwsAccess
    fallback_regions: tuple[str, ...] = ()

    def read(self, name: AwsSecretName) -> SecretStr:
        """Return the value; of a secret that is a JSON object, that of its key.

        Where its region does not answer, the replicas are asked in their order. Raises Misconfigured for a secret or a
        key that is not there, with the keys that are.
        """
        answer = self._ask(name)
        if "SecretString" not in answer:
            raise Misconfigured(f"secret {name.name}", "holds bytes and no text", next_step="put it there as text")
        return SecretStr(name.value_in(answer["SecretString"]))

    def reference(self, name: AwsSecretName) -> str:
        """Return what a task definition has in `valueFrom`: ECS itself puts the value into the container then.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
        """
        with aws_errors("secretsmanager"):
            arn = str(self._client().describe_secret(SecretId=name.name)["ARN"])
        return f"{arn}:{name.key}::" if name.key else arn

    def _ask(self, name: AwsSecretName) -> dict[str, Any]:
        problems: list[Transient] = []
        for region in (None, *self.fallback_regions):
            try:
                with aws_errors("secretsmanager"):
                    return self._value(self._client(region), name)
            except Transient as error:
                problems.append(error)
        raise problems[0]

    def _value(self, client: Any, name: AwsSecretName) -> dict[str, Any]:
        try:
            found: dict[str, Any] = client.get_secret_value(SecretId=name.name, VersionStage=CURRENT)
        except ClientError as error:
            if code_of(error) == NOT_THERE:
                raise Misconfigured(
                    f"secret {name.name}",
                    f"Secrets Manager in {client.meta.region_name} has none of that name",
                    next_step=f"aws secretsmanager create-secret --name {name.name}, then put its value there",
                ) from error
            raise
        return found

    def _client(self, region: str | None = None) -> Any:
        return self.access.client("secretsmanager", region=region)


def put_secret(client: Any, name: str, content: str, *, tags: Mapping[str, str] | None = None) -> str:
    """Make a secret, or write over the one of that name, and return its ARN; tags are those of a new one."""
    listed = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    with aws_errors("secretsmanager"):
        try:
            return str(client.create_secret(Name=name, SecretString=content, Tags=listed)["ARN"])
        except ClientError as error:
            if code_of(error) != "ResourceExistsException":
                raise
            return str(client.put_secret_value(SecretId=name, SecretString=content)["ARN"])

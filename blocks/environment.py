"""What an environment needs that does not belong into a repository: addresses and secrets."""

from contextlib import suppress

from prefect.blocks.core import Block
from prefect.blocks.fields import SecretDict
from pydantic import Field, SecretStr

from blocks.aws import aws_account
from delivery.ports.settings import EnvironmentSettings
from delivery.state import open_registry


class DeliveryEnvironment(Block):
    """Secrets and addresses of one environment; everything else stands in headway.yaml."""

    _block_type_name = "Headway environment"
    _block_type_slug = "headway-environment"
    _description = "Secrets and addresses of one environment of an application."

    docker_host: str | None = Field(None, description="DOCKER_HOST of this environment; none: as headway.yaml says")
    registry: str | None = Field(
        None,
        description="host:port/prefix or ecr://ACCOUNT/PREFIX: where its images are pulled from; none: as built",
    )
    secrets: SecretDict = Field(SecretDict({}), description="variable → value, given to every service")
    # By name: to load prefect-aws takes every process of the platform most of a second.
    aws_credentials: str | None = Field(None, description="name of the AWS Credentials block for what runs on AWS")
    aws_roles: dict[str, str] = Field({}, description="phase → ARN of the role that is assumed for it")

    def settings(self, app: str, environment: str) -> EnvironmentSettings:
        """Hand out what the steps may know of the environment."""
        values = self.secrets.get_secret_value()
        secrets = {variable: SecretStr(str(value)) for variable, value in values.items()}
        aws = aws_account(self.aws_credentials, self.aws_roles) if self.aws_credentials or self.aws_roles else None
        registry = open_registry(self.registry, aws) if self.registry else None
        return EnvironmentSettings(
            app=app,
            environment=environment,
            docker_host=self.docker_host,
            registry=registry,
            secrets=secrets,
            aws=aws,
        )


def has_settings(app: str, environment: str) -> bool:
    """Whether there is a block for the environment."""
    try:
        DeliveryEnvironment.load(block_name(app, environment), _sync=True)  # type: ignore[call-arg]
    except ValueError:
        return False
    return True


def remove_settings(app: str, environment: str) -> None:
    """Make sure there is no block for the environment."""
    with suppress(ValueError):
        DeliveryEnvironment.delete(block_name(app, environment), _sync=True)  # type: ignore[call-arg]


def block_name(app: str, environment: str) -> str:
    """Return the name of an environment's block."""
    return f"{app}-{environment}"

"""How AWS is asked: whose credentials, in which region, and the role that a phase assumes."""

import os
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.session import get_session

from delivery.aws.failures import aws_errors, check_region
from delivery.errors import Misconfigured
from delivery.ports.aws_account import AwsAccount, Phase

if TYPE_CHECKING:
    from botocore.session import Session as BotocoreSession

CONNECT_SECONDS = 5
READ_SECONDS = 30
# Of one request; a step that still hears of a throttle is tried again as a whole.
TRIES = 5
SESSION_NAME = "headway"


@dataclass(frozen=True)
class AwsAccess:
    """Clients of an account's services; its role is assumed again before its credentials end."""

    account: AwsAccount = field(default_factory=AwsAccount)
    tries: int = TRIES

    def in_phase(self, phase: Phase) -> "AwsAccess":
        """Return the access of the role that the account has for a phase; none is named: the same."""
        role = self.account.roles.get(phase)
        return replace(self, account=replace(self.account, role=role)) if role else self

    def in_region(self, region: str) -> "AwsAccess":
        """Return the same access to another region."""
        return replace(self, account=replace(self.account, region=region))

    def client(self, service: str, *, region: str | None = None) -> Any:
        """Return a client of a service, which tries again what AWS documents as worth trying again.

        Raises Misconfigured when there are no credentials or no region, or the region has no such service.
        """
        with aws_errors(service):
            session = self.session
            where = region or session.region_name
            if where is None:
                raise Misconfigured(
                    "AWS region",
                    "none is named",
                    next_step="set AWS_REGION, or the region of the AWS Credentials block",
                )
            if not (self.account.endpoint_url or os.environ.get("AWS_ENDPOINT_URL")):
                check_region(session, service, where)
            config = Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": self.tries},
                user_agent_extra="headway",
            )
            return session.client(service, region_name=where, endpoint_url=self.account.endpoint_url, config=config)

    def variables(self) -> dict[str, str]:
        """Return what tells a program of AWS's own whose credentials to use, for as long as they are good.

        https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html
        """
        whose = self.account
        given = {"AWS_REGION": self.session.region_name, "AWS_ENDPOINT_URL": whose.endpoint_url}
        if whose.role or whose.key_id:
            with aws_errors("sts"):
                found = self.session.get_credentials()
                frozen = found.get_frozen_credentials() if found else None
            if frozen:
                given |= {
                    "AWS_ACCESS_KEY_ID": frozen.access_key,
                    "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
                    "AWS_SESSION_TOKEN": frozen.token,
                }
        else:
            given["AWS_PROFILE"] = whose.profile
        return {name: value for name, value in given.items() if value}

    @cached_property
    def session(self) -> boto3.Session:
        """The session that clients are made of."""
        whose = self.account
        own = boto3.Session(
            aws_access_key_id=whose.key_id,
            aws_secret_access_key=whose.secret_key.get_secret_value() if whose.secret_key else None,
            aws_session_token=whose.session_token.get_secret_value() if whose.session_token else None,
            profile_name=whose.profile,
            region_name=whose.region,
        )
        if whose.role is None:
            return own
        return boto3.Session(botocore_session=self._assumed(own), region_name=own.region_name)

    def _assumed(self, own: boto3.Session) -> "BotocoreSession":
        credentials = own.get_credentials()
        if credentials is None:
            raise Misconfigured(f"AWS role {self.account.role}", "there are no credentials that could assume it")
        more = {"RoleSessionName": SESSION_NAME}
        if self.account.external_id:
            more["ExternalId"] = self.account.external_id
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(own._session.create_client, endpoint_url=self.account.endpoint_url),
            source_credentials=credentials,
            role_arn=str(self.account.role),
            extra_args=more,
        )
        session = get_session()
        session._credentials = DeferredRefreshableCredentials(  # botocore has no public way in
            method="assume-role", refresh_using=fetcher.fetch_credentials
        )
        if own.region_name:
            session.set_config_variable("region", own.region_name)
        return session


def account_of(access: AwsAccess) -> str:
    """Return the account that the credentials are of, as AWS says it."""
    with aws_errors("sts"):
        return str(access.client("sts").get_caller_identity()["Account"])

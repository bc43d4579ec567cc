"""The secrets of a task: what `valueFrom` says, looked up when the task starts."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import retry, retry_if_not_exception_type, stop_after_attempt, wait_fixed

from local_aws.own_client import own_client

PREFIX = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
RETRIED = "service call has been retried 1 time(s): "


class Unresolved(Exception):
    """A secret that cannot be had; the text is AWS's and holds no value."""


def resolve(container: Mapping[str, Any], account: str, region: str) -> dict[str, str]:
    """Return the variables of a container that are secrets, with their values; Unresolved when one cannot be had.

    The account asked is the task's own, whatever a secret's ARN names: policies that share one are not looked at.
    """
    found = {}
    for one in container.get("secrets", []):
        try:
            found[one["name"]] = _value(one["valueFrom"], account, region)
        except (ClientError, BotoCoreError) as error:
            raise Unresolved(f"{PREFIX}{_place(one['valueFrom'])}{RETRIED}{_told(one['valueFrom'], error)}") from None
    return found


def _value(source: str, account: str, region: str) -> str:
    if _is_secret(source):
        return _secret_value(source, account)
    named = source.partition(":parameter/")
    client = own_client("ssm", account, source.split(":")[3] if named[1] else region)
    name = f"/{named[2]}" if named[1] and "/" in named[2] else named[2] if named[1] else source
    return str(_asked(lambda: client.get_parameter(Name=name, WithDecryption=True))["Parameter"]["Value"])


def _secret_value(source: str, account: str) -> str:
    """Return a secret, a key of it, a version of it: "arn:aws:secretsmanager:region:aws_account_id:secret:secret-name:
    json-key:version-stage:version-id".

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
    """
    parts = source.split(":")
    arn, (key, stage, version) = ":".join(parts[:7]), [*parts[7:10], "", "", ""][:3]
    wanted = {name: value for name, value in (("VersionStage", stage), ("VersionId", version)) if value}
    client = own_client("secretsmanager", account, parts[3])
    text = str(_asked(lambda: client.get_secret_value(SecretId=arn, **wanted))["SecretString"])
    if not key:
        return text
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError):
        trouble = f"retrieved secret from Secrets Manager did not contain json key {key}"
        raise Unresolved(f"{PREFIX}{_place(source)}{RETRIED}{trouble}") from None
    return value if isinstance(value, str) else json.dumps(value)


@retry(stop=stop_after_attempt(2), wait=wait_fixed(0.2), retry=retry_if_not_exception_type(Unresolved), reraise=True)
def _asked(ask: Any) -> dict[str, Any]:
    return dict(ask())


def _is_secret(source: str) -> bool:
    """Whether it names a secret: a name alone is that of a parameter, in the same Region as the task.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Secret.html
    """
    return source.startswith("arn:") and source.split(":")[2] == "secretsmanager"


def _place(source: str) -> str:
    return "unable to retrieve secret from asm: " if _is_secret(source) else "unable to retrieve secrets from ssm: "


def _told(source: str, error: ClientError | BotoCoreError) -> str:
    said = error.response["Error"] if isinstance(error, ClientError) else {"Code": type(error).__name__, "Message": ""}
    whole = f"{said.get('Code')}: {said.get('Message', '')}"
    return f"failed to fetch secret {source} from secrets manager: {whole}" if _is_secret(source) else whole

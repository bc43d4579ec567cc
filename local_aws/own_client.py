"""How the local AWS asks itself for something: as anybody would, so that it is written down."""

import threading
from typing import Any

import boto3
from botocore.awsrequest import AWSRequest
from botocore.config import Config

from local_aws.installation import current

KEYS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
_CLIENTS: dict[tuple[str, str, str], Any] = {}
_LOCK = threading.Lock()


def own_client(service: str, account: str, region: str) -> Any:
    """Return a client of this local AWS for an account, which asks once and waits half a minute for the answer."""
    key = (service, account, region)
    with _LOCK:
        if key not in _CLIENTS:
            _CLIENTS[key] = _made(service, account, region)
        return _CLIENTS[key]


def _made(service: str, account: str, region: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=30, proxies={}, max_pool_connections=20)
    client = boto3.session.Session().client(
        service, endpoint_url=current().url, region_name=region, config=config, **KEYS
    )

    def for_account(request: AWSRequest, **_: object) -> None:
        request.headers["x-moto-account-id"] = account

    client.meta.events.register("before-sign", for_account)
    return client

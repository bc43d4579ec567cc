"""AWS Backup's records that moto has not, for each account and region."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult

PAGE = 1000
Kept = dict[str, dict[str, Any]]


@dataclass
class Records:
    """What was put, as it was given, by name or id."""

    selections: dict[str, Kept] = field(default_factory=dict)  # by plan
    notifications: Kept = field(default_factory=dict)
    policies: Kept = field(default_factory=dict)
    testing_plans: Kept = field(default_factory=dict)
    testing_selections: dict[str, Kept] = field(default_factory=dict)  # by plan
    points: Kept = field(default_factory=dict)  # recovery points, by ARN
    tokens: Kept = field(default_factory=dict)  # by kind of job and token: what was asked, and the job


_RECORDS: dict[tuple[str, str], Records] = {}
JOBS: dict[tuple[str, str], dict[str, Kept]] = {}  # of account and region, by kind and id


def records_of(response: BackupResponse) -> Records:
    """Return those of the account and region that are asked."""
    return records_at(response.current_account, response.region)


def records_at(account: str, region: str) -> Records:
    """Return those of an account and region."""
    return _RECORDS.setdefault((account, region), Records())


def path_parts(response: BackupResponse) -> list[str]:
    """Return the parts of a request's path, without slashes."""
    return [unquote(part) for part in response.path.strip("/").split("/")]


def page(response: BackupResponse, name: str, listed: list[dict[str, Any]]) -> ActionResult:
    """Return as many as are asked for, and where the next ones begin."""
    query = response.querystring
    start, size = int(query.get("nextToken", ["0"])[0]), int(query.get("maxResults", [str(PAGE)])[0])
    more = {"NextToken": str(start + size)} if len(listed) > start + size else {}
    return ActionResult({name: listed[start : start + size], **more})

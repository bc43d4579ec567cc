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


_RECORDS: dict[tuple[str, str], Records] = {}


def records_of(response: BackupResponse) -> Records:
    """Return those of the account and region that are asked."""
    return _RECORDS.setdefault((response.current_account, response.region), Records())


def path_parts(response: BackupResponse) -> list[str]:
    """Return the parts of a request's path, without slashes."""
    return [unquote(part) for part in response.path.strip("/").split("/")]


def page(response: BackupResponse, name: str, listed: list[dict[str, Any]]) -> ActionResult:
    """Return as many as are asked for, and where the next ones begin."""
    query = response.querystring
    start, size = int(query.get("nextToken", ["0"])[0]), int(query.get("maxResults", [str(PAGE)])[0])
    more = {"NextToken": str(start + size)} if len(listed) > start + size else {}
    return ActionResult({name: listed[start : start + size], **more})

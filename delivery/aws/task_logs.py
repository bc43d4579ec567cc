"""What the program of a task printed, from CloudWatch Logs."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.failures import aws_errors, code_of
from delivery.ports.logs import LogWish
from delivery.redaction import Redaction

FOLLOW_SECONDS = 1.0  # CloudWatch has what was printed some seconds later anyway


def stream_of(prefix: str, container: str, task: str) -> str:
    """Return what the log stream of a container is called.

    "prefix-name/container-name/ecs-task-id": https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
    """
    return f"{prefix}/{container}/{task}"


def read_log(client: Any, group: str, stream: str) -> Iterator[str]:
    """Yield the lines of a stream from its beginning; none of one that was never made."""
    yield from (event["message"] for event in _events(client, group, stream))


def _events(client: Any, group: str, stream: str) -> Iterator[dict[str, Any]]:
    token: dict[str, str] = {}
    with aws_errors("logs"):
        while True:
            try:
                page = client.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException":  # it printed nothing, or never ran
                    return
                raise
            yield from page["events"]
            if token.get("nextToken") == page["nextForwardToken"]:
                return
            token = {"nextToken": page["nextForwardToken"]}


def printed(
    client: Any, group: str, streams: Mapping[str, str], wish: LogWish, still: Callable[[], bool]
) -> Iterator[tuple[str, str]]:
    """Yield name and text of what several streams hold, oldest first, and what comes while `still` says so."""
    since = int(wish.since.timestamp() * 1000) if wish.since else 0
    seen = dict.fromkeys(streams, 0)
    while True:
        goes_on = wish.follow and still()
        found: list[tuple[int, str, str]] = []
        for name, stream in streams.items():
            events = list(_events(client, group, stream))
            first, seen[name] = seen[name], len(events)
            own = [one for one in events[first:] if one["timestamp"] >= since]
            if not first and wish.tail is not None:
                own = own[len(own) - min(wish.tail, len(own)) :]
            found += [(one["timestamp"], name, one["message"]) for one in own]
        yield from ((name, text) for _, name, text in sorted(found, key=lambda one: one[0]))
        if not goes_on:
            return
        time.sleep(FOLLOW_SECONDS)


def save_log(client: Any, group: str, stream: str, path: Path, hide: Redaction) -> None:
    """Write what a stream holds to a file, without secrets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for line in read_log(client, group, stream):
            file.write(hide.text(line) + "\n")

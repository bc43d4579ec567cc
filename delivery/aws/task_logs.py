"""What the program of a task printed, from CloudWatch Logs."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
    yield from (event["message"] for event in Reader(client, group, stream).read())


@dataclass
class Reader:
    """Reads a stream from its beginning, and then what came since."""

    client: Any
    group: str
    stream: str
    _token: str | None = None

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield what was not read yet; nothing of a stream that was never made.

        "If you have reached the end of the stream, it returns the same token you passed in."
        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
        """
        with aws_errors("logs"):
            while True:
                since = {"nextToken": self._token} if self._token else {}
                try:
                    page = self.client.get_log_events(
                        logGroupName=self.group, logStreamName=self.stream, startFromHead=True, **since
                    )
                except ClientError as error:
                    if code_of(error) == "ResourceNotFoundException":  # it printed nothing, or never ran
                        return
                    raise
                before, self._token = self._token, page["nextForwardToken"]
                yield from page["events"]
                if before == self._token:
                    return


def printed(
    client: Any, group: str, streams: Mapping[str, str], wish: LogWish, still: Callable[[], bool]
) -> Iterator[tuple[str, str]]:
    """Yield name and text of what several streams hold, oldest first, and what comes while `still` says so."""
    since = int(wish.since.timestamp() * 1000) if wish.since else 0
    readers, tail = {name: Reader(client, group, stream) for name, stream in streams.items()}, wish.tail
    while True:
        goes_on = wish.follow and still()
        found: list[tuple[int, str, str]] = []
        for name, reader in readers.items():
            own = [one for one in reader.read() if one["timestamp"] >= since]
            last = own if tail is None else own[len(own) - min(tail, len(own)) :]
            found += [(one["timestamp"], name, one["message"]) for one in last]
        yield from ((name, text) for _, name, text in sorted(found, key=lambda one: one[0]))
        if not goes_on:
            return
        tail = None  # what comes is wanted, however much
        time.sleep(FOLLOW_SECONDS)


def save_log(client: Any, group: str, stream: str, path: Path, hide: Redaction) -> None:
    """Write what a stream holds to a file, without secrets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for line in read_log(client, group, stream):
            file.write(hide.text(line) + "\n")

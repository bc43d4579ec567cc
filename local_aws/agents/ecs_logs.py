"""What the containers of a task print, line by line in CloudWatch Logs: nothing lost, nothing twice.

The stream itself says how much of a container's output it has: its events are the container's first lines. Whoever goes
on, after an error or in another process, reads the engine's log from its beginning and leaves out so many.
"""

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import requests
import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import DockerException
from docker.models.containers import Container
from moto.logs.models import logs_backends

from delivery.docker.engine.frames import Frame, frames, lines
from delivery.docker.engine.paths import moment_seconds
from delivery.docker.engine.streams import end, given_back
from local_aws.own_client import own_client

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html: a batch, an event.
BATCH_BYTES, BATCH_EVENTS, AROUND_AN_EVENT, EVENT_BYTES = 1_048_576, 10_000, 26, 262_144 - 26
_ENDED = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError)
Event = dict[str, Any]


@dataclass(frozen=True)
class Stream:
    """Where a container's lines go."""

    account: str
    region: str
    group: str
    name: str

    def events(self) -> list[Any] | None:
        """Return what is there; none when somebody deleted it."""
        group = logs_backends[self.account][self.region].groups.get(self.group)
        stream = group.streams.get(self.name) if group else None
        return stream.events if stream else None

    @property
    def client(self) -> Any:
        """Who speaks to CloudWatch Logs for it."""
        return own_client("logs", self.account, self.region)


def stream_of(definition: Mapping[str, Any], account: str, region: str, task: str) -> Stream | None:
    """Return where a container's lines go, or none: "prefix-name/container-name/ecs-task-id".

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html
    """
    logs = definition.get("logConfiguration") or {}
    if logs.get("logDriver") != "awslogs":
        return None
    options = logs.get("options") or {}
    name = f"{options.get('awslogs-stream-prefix', 'ecs')}/{definition['name']}/{task}"
    return Stream(account, options.get("awslogs-region") or region, options["awslogs-group"], name)


def make_stream(stream: Stream, definition: Mapping[str, Any]) -> str:
    """Make sure that there is one and return what is wrong, or nothing; a group is made where the options say so."""
    options = definition["logConfiguration"]["options"]
    try:
        if options.get("awslogs-create-group") == "true":
            with contextlib.suppress(stream.client.exceptions.ResourceAlreadyExistsException):
                stream.client.create_log_group(logGroupName=stream.group)
        with contextlib.suppress(stream.client.exceptions.ResourceAlreadyExistsException):
            stream.client.create_log_stream(logGroupName=stream.group, logStreamName=stream.name)
    except ClientError as error:
        said = error.response["Error"]
        return (
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
            f"failed to create Cloudwatch log stream: {said['Code']}: {said['Message']} : exit status 1"
        )
    return ""


class Shipping:
    """Carries one container's lines to its stream; one thread calls it."""

    def __init__(self, container: Container, stream: Stream) -> None:
        self._container, self._stream = container, stream
        self._waiting: queue.Queue[Event] = queue.Queue()
        self._reading: Any = None

    def flush(self) -> None:
        """Put what was printed since; what cannot be put now is read again the next time."""
        if self._reading is None:
            have = self._stream.events()
            if have is None:
                return
            self._waiting = queue.Queue()
            self._reading = frames(self._container, follow=True)
            given = (self._reading, self._waiting, len(have))
            threading.Thread(target=_read, args=given, daemon=True, name="local-aws-logs").start()
        events = [self._waiting.get() for _ in range(self._waiting.qsize())]
        if not self._put(events):
            self.stop()

    def finish(self) -> bool:
        """Put all that is not there yet of what an ended container printed; whether that is done."""
        self.stop()
        have = self._stream.events()
        if have is None:  # somebody deleted it
            return True
        with given_back(frames(self._container, follow=False)) as printed:
            return self._put(list(islice(_events(printed, unfinished=True), len(have), None)))

    def stop(self) -> None:
        """Read no more."""
        if self._reading is not None:
            end(self._reading)
        self._reading = None

    def _put(self, events: list[Event]) -> bool:
        try:
            for batch in _batches(self._in_order(events)):
                self._stream.client.put_log_events(
                    logGroupName=self._stream.group, logStreamName=self._stream.name, logEvents=batch
                )
        except (ClientError, BotoCoreError):
            return False
        return True

    def _in_order(self, events: list[Event]) -> Iterator[Event]:
        """Give no event an earlier time than the one before: stdout and stderr are stamped apart."""
        have = self._stream.events()
        latest = have[-1].timestamp if have else 0
        for one in events:
            latest = max(latest, one["timestamp"])
            yield {**one, "timestamp": latest}


def _read(reading: Any, waiting: "queue.Queue[Event]", have: int) -> None:
    with contextlib.suppress(*_ENDED), given_back(reading) as printed:
        for event in islice(_events(printed, unfinished=False), have, None):
            waiting.put(event)


def _events(printed: Iterator[Frame], *, unfinished: bool) -> Iterator[Event]:
    """Yield an event a line, none for an empty one, more for one that is longer than an event may be."""
    for line in lines(printed, unfinished=unfinished):
        yield from _cut(line.at, line.text)


def _cut(stamp: bytes, line: bytes) -> Iterator[Event]:
    for start in range(0, len(line), EVENT_BYTES):
        message = line[start : start + EVENT_BYTES].decode(errors="replace")
        yield {"timestamp": int(moment_seconds(stamp.decode()) * 1000), "message": message}


def _batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    batch, size = list[Event](), 0
    for one in events:
        needs = len(one["message"].encode()) + AROUND_AN_EVENT
        if batch and (size + needs > BATCH_BYTES or len(batch) == BATCH_EVENTS):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += needs
    if batch:
        yield batch

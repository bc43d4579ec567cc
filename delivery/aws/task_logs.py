"""What the program of a task printed, from CloudWatch Logs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.failures import aws_errors, code_of
from delivery.redaction import Redaction


def stream_of(prefix: str, container: str, task: str) -> str:
    """Return what the log stream of a container is called.

    "prefix-name/container-name/ecs-task-id": https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
    """
    return f"{prefix}/{container}/{task}"


def read_log(client: Any, group: str, stream: str) -> Iterator[str]:
    """Yield the lines of a stream from its beginning; none of one that was never made."""
    token: dict[str, str] = {}
    with aws_errors("logs"):
        while True:
            try:
                page = client.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException":  # it printed nothing, or never ran
                    return
                raise
            yield from (event["message"] for event in page["events"])
            if token.get("nextToken") == page["nextForwardToken"]:
                return
            token = {"nextToken": page["nextForwardToken"]}


def save_log(client: Any, group: str, stream: str, path: Path, hide: Redaction) -> None:
    """Write what a stream holds to a file, without secrets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for line in read_log(client, group, stream):
            file.write(hide.text(line) + "\n")

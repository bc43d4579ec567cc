"""Faults on demand: which operation fails, how, and how often.

A fault is put in with `PUT /headway/faults` (a JSON list of them; it replaces those before) and read back with GET.
What is done is what AWS documents of its own faults: https://docs.aws.amazon.com/general/latest/gr/api-retries.html.
"""

import json
import re
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any, Literal
from xml.sax.saxutils import escape

from local_aws.operations import Asked

Kind = Literal["throttled", "denied", "error", "hang", "answer lost", "no capacity", "partial"]
KINDS: tuple[Kind, ...] = ("throttled", "denied", "error", "hang", "answer lost", "no capacity", "partial")
# How each service says that it is asked too often; others say ThrottlingException.
THROTTLED = {
    "s3": (503, "SlowDown"),
    "ec2": (503, "RequestLimitExceeded"),
    "sts": (400, "Throttling"),
    "rds": (400, "Throttling"),
    "elasticloadbalancing": (400, "Throttling"),
    "monitoring": (400, "Throttling"),
}
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
_OF_REGISTRIES = {"ThrottlingException": "TOOMANYREQUESTS", "AccessDenied": "DENIED"}
MESSAGE, DENIED = "Rate exceeded", "Access Denied"
# What Fargate says; with instances of one's own it is RESOURCE:MEMORY, RESOURCE:CPU and others:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
NO_CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
_JSON = [("Content-Type", "application/x-amz-json-1.1")]


@dataclass
class Fault:
    """One kind of fault for operations that match, so many times; `error` answers with `status`, `hang` holds still.

    `no capacity` is what RunTask answers among its failures, with `reason`. A job of AWS Backup ends by a fault of
    `backup-agent` (`backup job`, `copy job`, `restore job`) as FAILED, or with `partial` as PARTIAL, for `reason`.
    A deployment of CodeDeploy does not leave an event while a fault of `codedeploy-agent` for it is there.
    """

    service: str
    operation: str  # a regular expression over the whole of `Operation` or `METHOD /path`
    kind: Kind
    times: int = 1
    after: int = 0  # so many matching requests pass before
    status: int = 500
    seconds: float = 60
    reason: str = NO_CAPACITY

    def matches(self, asked: Asked) -> bool:
        """Whether it is about this request."""
        return self.service == asked.service and re.fullmatch(self.operation, asked.operation) is not None


class Faults:
    """The faults that are left to happen."""

    def __init__(self) -> None:
        self._lock, self._left = threading.Lock(), list[Fault]()

    def put(self, content: bytes) -> None:
        """Take the faults of a JSON list instead of those before; ValueError, with what is allowed, when it is none."""
        given = json.loads(content)
        if not isinstance(given, list):
            raise ValueError("a list of faults is expected")
        try:
            faults = [Fault(**one) for one in given]
        except TypeError as error:
            raise ValueError(f"{error}; keys are {', '.join(Fault.__dataclass_fields__)}") from error
        for one in faults:
            if one.kind not in KINDS:
                raise ValueError(f"kind {one.kind!r}; allowed: {', '.join(KINDS)}")
            re.compile(one.operation)
        with self._lock:
            self._left = faults

    def left(self) -> list[dict[str, Any]]:
        """Return what did not happen yet."""
        with self._lock:
            return [asdict(one) for one in self._left]

    def stands(self, asked: Asked) -> bool:
        """Whether a fault that this meets is there, which stays until others are put in."""
        with self._lock:
            return any(one.matches(asked) for one in self._left)

    def take(self, asked: Asked) -> Fault | None:
        """Return the fault that this request meets, which is one less from now on."""
        with self._lock:
            for one in self._left:
                if not one.matches(asked):
                    continue
                if one.after > 0:
                    one.after -= 1
                    return None
                one.times -= 1
                if one.times <= 0:
                    self._left.remove(one)
                return Fault(**asdict(one))
        return None


def answer_of(fault: Fault, asked: Asked) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body of a fault that is told at once, in the words of the service's protocol."""
    if fault.kind == "no capacity":
        return 200, _JSON, json.dumps({"tasks": [], "failures": [{"reason": fault.reason}]}).encode()
    status, code = (fault.status, "InternalError" if asked.service == "s3" else "InternalFailure")
    message = "We encountered an internal error. Please try again."
    if fault.kind == "throttled":
        status, code = THROTTLED.get(asked.service, (400, "ThrottlingException"))
        status = 429 if asked.protocol == "registry" else status
        message = MESSAGE
    if fault.kind == "denied":
        status, code, message = 403, "AccessDenied" if asked.protocol != "json" else "AccessDeniedException", DENIED
    if fault.kind == "hang":
        time.sleep(fault.seconds)
    return (status, *_told(asked, code, message))


def _told(asked: Asked, code: str, message: str) -> tuple[list[tuple[str, str]], bytes]:
    if asked.protocol == "registry":
        body = json.dumps({"errors": [{"code": _OF_REGISTRIES.get(code, "UNKNOWN"), "message": message}]})
        return [("Content-Type", "application/json")], body.encode()
    told = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if asked.service == "ec2":  # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
        body = f"<Response><Errors><Error>{told}</Error></Errors><RequestID>0</RequestID></Response>"
        return [("Content-Type", "text/xml")], body.encode()
    if asked.protocol == "rest-xml":
        return [("Content-Type", "application/xml")], f"<Error>{told}</Error>".encode()
    if asked.protocol == "query":
        body = f"<ErrorResponse><Error><Type>Sender</Type>{told}</Error><RequestId>0</RequestId></ErrorResponse>"
        return [("Content-Type", "text/xml")], body.encode()
    answer = {"__type": code, "message": message}
    return [*_JSON, ("x-amzn-errortype", code)], json.dumps(answer).encode()

"""Objects of S3 that are written on a condition: only where nothing is, or only over what was read.

A write whose answer was lost is done again by boto3, and refused then although it came through: each write carries a
mark of its own, by which it is known again (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
"""

from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from delivery.aws.failures import code_of

MARK = "headway-write"
REFUSED = ("PreconditionFailed", "412")
# Somebody writes the same object at this moment; AWS asks to try again.
CONFLICT = ("ConditionalRequestConflict", "OperationAborted", "409")
CONFLICT_TRIES = 8


def put_if(client: Any, bucket: str, key: str, content: bytes, *, etag: str | None, **more: Any) -> bool:
    """Write an object where nothing is, or over what has `etag`; return whether this write is what stands there.

    False: something else is there. Raises botocore's errors for all else.
    """
    mark = uuid4().hex
    condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}

    def write() -> None:
        client.put_object(Bucket=bucket, Key=key, Body=content, Metadata={MARK: mark}, **condition, **more)

    tries = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, ClientError) and code_of(error) in CONFLICT),
        wait=wait_random_exponential(multiplier=0.05, max=1),
        stop=stop_after_attempt(CONFLICT_TRIES),
        reraise=True,
    )
    try:
        tries(write)
    except ClientError as error:
        if code_of(error) in REFUSED or (etag is not None and code_of(error) in ("NoSuchKey", "404")):
            return _mark_of(client, bucket, key) == mark
        raise
    return True


def _mark_of(client: Any, bucket: str, key: str) -> str:
    try:
        return str(client.head_object(Bucket=bucket, Key=key)["Metadata"].get(MARK, ""))
    except ClientError as error:
        if code_of(error) in ("NoSuchKey", "404"):
            return ""
        raise

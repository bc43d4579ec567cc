"""What the engine tells for as long as somebody listens, over connections that are given back."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import requests
import urllib3
from docker.errors import DockerException
from docker.types import CancellableStream

ENDED = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError)

_T = TypeVar("_T")


@contextmanager
def given_back(stream: "CancellableStream[_T]") -> "Iterator[CancellableStream[_T]]":
    """Let a stream be read, and close its connection afterwards.

    The SDK's own `close` only ends the reading: the connection stays until nobody refers to it any more.
    """
    try:
        yield stream
    finally:
        end(stream)
        with suppress(*ENDED):
            stream._response.close()  # type: ignore[attr-defined]  # the SDK says nowhere else what it reads from


def end(stream: "CancellableStream[Any]") -> None:
    """End the reading of a stream, whoever reads it: that one gives the connection back."""
    with suppress(*ENDED):  # it may be in any state
        stream.close()

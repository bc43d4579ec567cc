"""Whether the engine lived through a step."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import requests
import urllib3
from docker import DockerClient
from docker.errors import DockerException
from docker.types import CancellableStream

from delivery.docker.engine.client import connect

_GONE = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError)
UNHEARD = '{"label": ["headway.nothing"]}'  # events that nothing causes: only the connection is wanted


class EngineWatch:
    """A connection that ends when the engine does, also when another one has taken its place since."""

    def __init__(self, client: DockerClient) -> None:
        self._client, self._lost = client, threading.Event()
        api = client.api
        self._response = api.get(
            f"{api.base_url}/v{api.api_version}/events", params={"filters": UNHEARD}, stream=True, timeout=None
        )
        self._events = CancellableStream(self._response.iter_content(), self._response)
        self._reader = threading.Thread(target=self._read, name="engine watch", daemon=True)
        self._reader.start()

    def engine_died(self) -> bool:
        """Whether the engine that was there at the beginning is gone."""
        if not self._lost.is_set():
            try:
                self._client.ping()
            except _GONE:
                return True
        return self._lost.is_set()

    def close(self) -> None:
        """Give the connection back."""
        with suppress(*_GONE):
            self._events.close()
        self._reader.join()

    def _read(self) -> None:
        with suppress(*_GONE):
            for _ in self._events:
                pass
        self._lost.set()
        with suppress(*_GONE):
            self._response.close()  # that of the stream only ends the reading


@contextmanager
def engine_watched(client: DockerClient | None = None) -> Iterator[EngineWatch]:
    """Watch the engine of `client`, or the usual one, while a step runs."""
    watch = EngineWatch(client or connect())
    try:
        yield watch
    finally:
        watch.close()

"""Whether the engine lived through a step."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from docker import DockerClient
from docker.types import CancellableStream

from delivery.docker.engine.client import connect
from delivery.docker.engine.streams import ENDED, end, given_back

UNHEARD = '{"label": ["headway.nothing"]}'  # events that nothing causes: only the connection is wanted


class EngineWatch:
    """A connection that ends when the engine does, also when another one has taken its place since."""

    def __init__(self, client: DockerClient) -> None:
        self._client, self._lost = client, threading.Event()
        api = client.api
        response = api.get(
            f"{api.base_url}/v{api.api_version}/events", params={"filters": UNHEARD}, stream=True, timeout=None
        )
        self._events = CancellableStream(response.iter_content(), response)
        self._reader = threading.Thread(target=self._read, name="engine watch", daemon=True)
        self._reader.start()

    def engine_died(self) -> bool:
        """Whether the engine that was there at the beginning is gone."""
        if not self._lost.is_set():
            try:
                self._client.ping()
            except ENDED:
                return True
        return self._lost.is_set()

    def close(self) -> None:
        """Give the connection back."""
        end(self._events)
        self._reader.join()

    def _read(self) -> None:
        with given_back(self._events) as events, suppress(*ENDED):
            for _ in events:
                pass
        self._lost.set()


@contextmanager
def engine_watched(client: DockerClient | None = None) -> Iterator[EngineWatch]:
    """Watch the engine of `client`, or the usual one, while a step runs."""
    watch = EngineWatch(client or connect())
    try:
        yield watch
    finally:
        watch.close()

"""Ask the application through its router, over a connection that is kept."""

import http.client
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from docker import DockerClient
from docker.errors import APIError
from docker.models.containers import Container

from delivery.docker.engine.exec_stream import ExecStream
from delivery.programs import haproxy_values
from delivery.spec.answer import Answer
from delivery.spec.health import LOCAL_HOST

READ_SECONDS = 5.0


class _Lent:
    """A stream that stays open when `http.client` has done with it.

    It closes its socket before the body of an answer that only ends with the connection (HTTP/1.0) is read.
    """

    def __init__(self, stream: ExecStream) -> None:
        self.sendall, self.makefile = stream.sendall, stream.makefile

    def close(self) -> None:
        """Leave it open."""


@dataclass
class HttpProbe:
    """One client of the router: asks as a user would or, with `service`, one instance whatever its weight.

    `port` is another entry of the router than these two have, `host` the name that the application is asked by.
    """

    client: DockerClient
    router: Container
    service: str | None = None
    instance: str | None = None
    seconds: float = READ_SECONDS
    port: int | None = None
    host: str = LOCAL_HOST
    _stream: ExecStream | None = field(default=None, repr=False)

    def get(self, path: str) -> Answer:
        """GET `path` and return the answer."""
        try:
            connection = http.client.HTTPConnection(LOCAL_HOST)
            connection.sock = _Lent(self._open())
            connection.request("GET", path, headers=self._headers())
            came = connection.getresponse()
            answer = Answer(
                status=came.status,
                headers={key.lower(): value for key, value in came.getheaders()},
                body=came.read(),
            )
        except TimeoutError:
            self.close()
            return Answer(timed_out=True)
        except (OSError, http.client.HTTPException, APIError):
            self.close()
            return Answer()
        if came.will_close:
            self.close()
        return answer

    def close(self) -> None:
        """End the connection; the next question opens another."""
        stream, self._stream = self._stream, None  # another thread may close it as well, to wake who reads
        if stream:
            stream.close()

    def _open(self) -> ExecStream:
        if self._stream is None:
            port = self.port or (haproxy_values.PROBE_PORT if self.service else haproxy_values.INSIDE_PORT)
            self._stream = ExecStream(self.client, self.router, port, seconds=self.seconds)
        return self._stream

    def _headers(self) -> Mapping[str, str]:
        chosen = {"x-headway-service": self.service, "x-headway-instance": self.instance}
        return {"Host": self.host, "User-Agent": "headway"} | {key: value for key, value in chosen.items() if value}


def ask_each(http_probes: Iterable[HttpProbe], path: str) -> Iterator[Answer]:
    """GET `path` once from each, and end their connections."""
    for http_probe in http_probes:
        with closing(http_probe):
            yield http_probe.get(path)

"""What users of a router were answered, from the ring in which it keeps its last answers."""

import contextlib
import threading
from collections.abc import Mapping

from docker.errors import APIError

from delivery.docker.engine.exec_stream import ExecStream
from delivery.docker.target.router import Router
from delivery.docker.target.router_runtime import Runtime
from delivery.errors import Transient
from delivery.ports.latency import LatencyHistogram
from delivery.ports.observation import SlotCounts
from delivery.ports.slots import COLOURS, Colour
from delivery.programs import haproxy_runtime, haproxy_values

STREAM_SECONDS = 86400.0  # an answer may take long where nobody asks
REOPEN_SECONDS = 0.5


class RouterMetrics:
    """What users of both slots were answered since this was opened, and in what time."""

    def __init__(self, router: Router) -> None:
        self._runtime = Runtime(router)
        self._runtime.stat()
        self._before = haproxy_runtime.parse_answers(router.runtime(haproxy_runtime.ANSWERS_SO_FAR))
        self._answers = Answers(router)

    def read(self) -> Mapping[Colour, SlotCounts]:
        """Return the counts and times since this was opened; Transient when the router does not answer."""
        self._runtime.stat()
        return self._answers.counts()

    def before(self, colour: Colour) -> LatencyHistogram:
        """Return the response times of a slot before this was opened, as far back as the router remembers."""
        return self._before[colour].latency

    def close(self) -> None:
        """Read no more."""
        self._answers.close()
        self._runtime.close()


class Answers:
    """What users of each slot are answered from now on, read in a thread as the router tells it.

    The stream is opened again when it ended, as with a restart of the router; what was told meanwhile is not counted.
    """

    def __init__(self, router: Router) -> None:
        self._router, self._closed, self._lock = router, threading.Event(), threading.Lock()
        self._counts = {colour: SlotCounts() for colour in COLOURS}
        self._stream = self._open()
        self._thread = threading.Thread(target=self._follow, name="answers", daemon=True)
        self._thread.start()

    def counts(self) -> dict[Colour, SlotCounts]:
        """Return what was answered so far; Transient when nobody reads it any more."""
        if not self._thread.is_alive() and not self._closed.is_set():
            raise Transient("what users are answered is read no longer: its reader died")
        with self._lock:
            return dict(self._counts)

    def close(self) -> None:
        """End the stream."""
        self._closed.set()
        self._stream.close()
        self._thread.join(5)

    def _open(self) -> ExecStream:
        stream = ExecStream(
            self._router.client, self._router.container, haproxy_values.RUNTIME_PORT, seconds=STREAM_SECONDS
        )
        try:
            stream.sendall(f"{haproxy_runtime.ANSWERS_FROM_NOW}\n".encode())
        except OSError:
            stream.close()
            raise
        return stream

    def _follow(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(OSError, ValueError):
                self._read()
            self._stream.close()  # it ended
            if self._closed.wait(REOPEN_SECONDS):
                return
            with contextlib.suppress(OSError, APIError):  # the router is away
                self._stream = self._open()
                if self._closed.is_set():  # closed before there was anything to close
                    self._stream.close()

    def _read(self) -> None:
        lines, rest = self._stream.makefile(), b""
        while more := lines.read1(65536):
            whole, _, rest = (rest + more).rpartition(b"\n")
            new = haproxy_runtime.parse_answers(whole.decode(errors="replace"))
            with self._lock:
                self._counts = {colour: self._counts[colour].plus(new[colour]) for colour in COLOURS}

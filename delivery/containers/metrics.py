"""What users of a router were answered: counted by its servers, timed by the ring that keeps its last answers."""

import threading
from collections.abc import Mapping

from delivery.containers.exec_stream import ExecStream
from delivery.containers.router import Router, Runtime
from delivery.latency import LatencyHistogram
from delivery.programs import haproxy
from delivery.programs.haproxy import COLOURS, ServerStat
from delivery.target import Colour, SlotCounts

STREAM_SECONDS = 86400.0  # an answer may take long where nobody asks


class RouterCounts:
    """The counts of both slots since this was opened, also over a restart of the router, which starts from zero."""

    def __init__(self, router: Router) -> None:
        self._runtime = Runtime(router)
        self._sums: dict[Colour, list[int]] = {colour: [0, 0] for colour in COLOURS}
        self.servers: list[ServerStat] = self._runtime.stat()
        self._last = {(one.service, one.server): one for one in self.servers}

    def read(self) -> Mapping[Colour, SlotCounts]:
        """Return the counts since this was opened; Transient when the router does not answer."""
        self.servers = self._runtime.stat()
        for one in self.servers:
            earlier = self._last.get((one.service, one.server))
            own = self._sums["blue" if one.colour == "blue" else "green"]
            own[0] += _rise(one.requests, earlier.requests if earlier else 0)
            own[1] += _rise(one.errors, earlier.errors if earlier else 0)
            self._last[one.service, one.server] = one
        # A request that was tried three times counts three errors, and more than all cannot have failed.
        return {
            colour: SlotCounts(requests=requests, errors=min(requests, errors))
            for colour, (requests, errors) in self._sums.items()
        }

    def close(self) -> None:
        """Read no more."""
        self._runtime.close()


class RouterMetrics:
    """Counts and response times of both slots since this was opened."""

    def __init__(self, router: Router) -> None:
        self._counts = RouterCounts(router)
        self._before = _histograms(router.runtime(haproxy.ANSWERS_SO_FAR))
        self._answers = Answers(router)

    def read(self) -> Mapping[Colour, SlotCounts]:
        """Return the counts and times since this was opened; Transient when the router does not answer."""
        counts, times = self._counts.read(), self._answers.times()
        return {colour: counts[colour].model_copy(update={"latency": times[colour]}) for colour in COLOURS}

    def before(self, colour: Colour) -> LatencyHistogram:
        """Return the response times of a slot before this was opened, as far back as the router remembers."""
        return self._before[colour]

    def close(self) -> None:
        """Read no more."""
        self._answers.close()
        self._counts.close()


class Answers:
    """The response times of each slot from now on, read in a thread as the router tells them.

    After a restart of the router no more come; counts go on.
    """

    def __init__(self, router: Router) -> None:
        self._stream = ExecStream(router.client, router.container, haproxy.RUNTIME_PORT, seconds=STREAM_SECONDS)
        self._times = {colour: LatencyHistogram() for colour in COLOURS}
        self._lock = threading.Lock()
        self._stream.sendall(f"{haproxy.ANSWERS_FROM_NOW}\n".encode())
        self._thread = threading.Thread(target=self._follow, name="answers", daemon=True)
        self._thread.start()

    def times(self) -> dict[Colour, LatencyHistogram]:
        """Return the response times so far."""
        with self._lock:
            return dict(self._times)

    def close(self) -> None:
        """End the stream."""
        self._stream.close()
        self._thread.join(5)

    def _follow(self) -> None:
        lines, rest = self._stream.makefile(), b""
        while True:
            try:
                more = lines.read1(65536)
            except (OSError, ValueError):
                return
            if not more:
                return
            whole, _, rest = (rest + more).rpartition(b"\n")
            new = _histograms(whole.decode(errors="replace"))
            with self._lock:
                self._times = {colour: self._times[colour].plus(new[colour]) for colour in COLOURS}


def _histograms(text: str) -> dict[Colour, LatencyHistogram]:
    return {colour: LatencyHistogram.of(times) for colour, times in haproxy.parse_answers(text).items()}


def _rise(now: int, before: int) -> int:
    """Return by how much a counter rose; a smaller value is that of a new process."""
    return now - before if now >= before else now

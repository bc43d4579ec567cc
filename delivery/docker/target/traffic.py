"""Headway's own requests to the instances of an environment, through its router."""

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from delivery.docker.target.http_probe import READ_SECONDS, HttpProbe
from delivery.docker.target.instances import Instance
from delivery.docker.target.router import Router
from delivery.ports.latency import LatencyHistogram
from delivery.ports.observation import SlotCounts
from delivery.ports.slots import COLOURS, Colour


class SlotProbes:
    """Asks the instances of a slot in turn for their health paths, whatever the slot's weight."""

    def __init__(self, router: Router, instances: Sequence[Instance]) -> None:
        asked = [one for one in instances if one.file.port]
        self._http_probes = [router.http_probe(one.service, one.server, _limit(one), one.file.host) for one in asked]
        self._turns: dict[Colour, Iterator[tuple[HttpProbe, str]]] = {}
        for colour in COLOURS:
            both = zip(self._http_probes, asked, strict=True)
            own = [(http_probe, one.file.checked.path or "/") for http_probe, one in both if one.colour == colour]
            self._turns[colour] = itertools.cycle(own)

    def ask(self, colour: Colour, requests: int) -> SlotCounts:
        """Send so many requests and return what came back; nothing where the slot is empty."""
        failed, times = Counter[str](), []
        turns = list(itertools.islice(self._turns[colour], requests))
        for http_probe, path in turns:
            began = time.monotonic()
            answer = http_probe.get(path)
            if answer.status and answer.status < 500:
                times.append(1000 * (time.monotonic() - began))
            else:
                failed[f"GET {path} {answer.status or 'no answer'}"] += 1
        latency = LatencyHistogram.of(times)
        return SlotCounts(requests=len(turns), errors=failed.total(), what_failed=dict(failed), latency=latency)

    def close(self) -> None:
        """End all connections."""
        for http_probe in self._http_probes:
            http_probe.close()


def _limit(instance: Instance) -> float:
    return max(READ_SECONDS, instance.file.checked.timeout_seconds)

"""What is seen from outside while processes die: answers that users get, and who holds which lease until when."""

import itertools
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bench.chaos_platform import ENVIRONMENT, ChaosPlatform, as_json

ROOT = Path(__file__).resolve().parents[1]
SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Answer:
    """One request of the load, whatever became of it."""

    began: float
    ended: float
    outcome: str
    body: str


@dataclass
class Traffic:
    """The answers of every place."""

    answers: list[list[Answer]]

    def gap_ms(self, place: int, since: float, until: float) -> float:
        """Return the longest time in which no request was answered well, from one good answer to the next."""
        good = sorted(one.ended for one in self.answers[place] if one.outcome == "ok")
        times = [since, *(ended for ended in good if since < ended < until), until]
        return round(1000 * max(later - earlier for earlier, later in itertools.pairwise(times)), 1)

    def failures(self, place: int, since: float, until: float) -> Counter[str]:
        """Return how often which failure was seen."""
        return Counter(one.outcome for one in self.within(place, since, until) if one.outcome != "ok")

    def within(self, place: int, since: float, until: float) -> list[Answer]:
        """Return the requests that were over in a time."""
        return [one for one in list(self.answers[place]) if since <= one.ended <= until]


@contextmanager
def traffic_on(ports: Sequence[int]) -> Iterator[Traffic]:
    """Send requests to all places until the body ends; by a process of its own, which nothing here slows down."""
    seen = Traffic([[] for _ in ports])
    argv = [sys.executable, "-m", "bench.chaos_load", *map(str, ports)]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        reader = threading.Thread(target=_read, args=(process, seen), daemon=True)
        reader.start()
        try:
            yield seen
        finally:
            process.terminate()
            reader.join(10)


def _read(process: subprocess.Popen[str], seen: Traffic) -> None:
    assert process.stdout
    for line in process.stdout:
        if line.endswith("\n"):  # the last one may be cut
            place, *answer = json.loads(line)
            seen.answers[place].append(Answer(*answer))


@dataclass
class Tenure:
    """The time for which somebody held a lease; `ended` is when that was over, `how` in which way."""

    sequence: int
    holder: str
    expires: float
    ended: float | None = None
    how: str = ""


@dataclass
class LeaseWatch:
    """Looks at the leases many times a second; a lease that a dead holder left does not tell its end by itself."""

    platform: ChaosPlatform
    tenures: dict[str, list[Tenure]] = field(default_factory=dict)

    def look(self, now: float) -> None:
        """Look at every lease once."""
        for town in self.platform.towns:
            lease = as_json(self.platform.home.leases / f"{town.name}.{ENVIRONMENT}.json")
            if lease:
                self._note(self.tenures.setdefault(town.name, []), lease, now)

    def last_abandoned(self, town: str, since: float) -> Tenure | None:
        """Return the last tenure that ended after `since` and that its holder did not end itself."""
        ended = [one for one in self.tenures.get(town, []) if one.ended and one.ended >= since]
        return next((one for one in reversed(ended) if one.how != "given back"), None)

    def _note(self, known: list[Tenure], lease: dict[str, object], now: float) -> None:
        sequence, holder = int(str(lease["sequence"])), lease["holder"]
        expires = _seconds(lease["expires"])
        last = known[-1] if known else None
        if last and not last.ended:
            if sequence == last.sequence and holder == last.holder:
                last.expires = expires
                if expires <= now:
                    last.ended, last.how = expires, "ran out"
            else:
                last.ended, last.how = now, "given back" if sequence == last.sequence else "taken over"
        elif last and sequence == last.sequence and holder == last.holder and expires > now:
            last.ended, last.how, last.expires = None, "", expires  # its holder had slept, and renewed it
        if holder and (not last or last.sequence != sequence):
            known.append(Tenure(sequence, str(holder), expires))


@contextmanager
def leases_watched(platform: ChaosPlatform) -> Iterator[LeaseWatch]:
    """Watch the leases until the body ends."""
    watch, over = LeaseWatch(platform), threading.Event()

    def keep() -> None:
        while not over.wait(SAMPLE_SECONDS):
            watch.look(datetime.now().timestamp())

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join(10)


def _seconds(moment: object) -> float:
    return datetime.fromisoformat(str(moment)).timestamp() if moment else 0.0

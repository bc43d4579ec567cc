"""Requests as impatient users send them: no retries, every answer counted."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

WORKERS = 8
PAUSE_SECONDS = 0.05  # so that the clients leave the machine to what is tested


@dataclass
class Counts:
    """What the clients saw; `failures` holds one line for each request that was not answered well."""

    requests: int = 0
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, failure: str | None) -> None:
        with self.lock:
            self.requests += 1
            if failure:
                self.failures.append(failure)


@contextmanager
def load_on(url: str, *, path: str = "/api/tasks", post: bool = True, workers: int = WORKERS) -> Iterator[Counts]:
    """Send requests over kept and over new connections until the body ends; the first of the workers writes."""
    counts, stop = Counts(), threading.Event()

    def work(number: int) -> None:
        # A new connection each time is what a visitor has who asks once.
        headers = {} if number % 2 else {"Connection": "close"}
        with httpx.Client(base_url=url, timeout=10, headers=headers) as client:
            for turn in itertools.count():
                if stop.is_set():
                    return
                counts.add(_one(client, path, write=post and number == 0, turn=turn))
                stop.wait(PAUSE_SECONDS)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def _one(client: httpx.Client, path: str, *, write: bool, turn: int) -> str | None:
    moment = time.strftime("%H:%M:%S")
    try:
        answer = client.post(path, json={"title": f"load {turn}"}) if write else client.get(path)
    except httpx.HTTPError as error:
        return f"{moment} {type(error).__name__}: {error}"
    return None if answer.is_success else f"{moment} {answer.status_code}: {answer.text[:80]}"

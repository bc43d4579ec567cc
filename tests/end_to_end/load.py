"""Requests as impatient users send them: no retries, every answer counted."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

WORKERS = 8


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
def load_on(url: str, *, path: str = "/api/tasks", post: bool = True) -> Iterator[Counts]:
    """Send requests over kept and over new connections until the body ends; one in eight workers writes."""
    counts, stop = Counts(), threading.Event()

    def work(number: int) -> None:
        kept = httpx.Client(base_url=url, timeout=10)
        try:
            for turn in itertools.count():
                if stop.is_set():
                    return
                counts.add(_one(kept if number % 2 else None, url, path, write=post and number == 0, turn=turn))
                time.sleep(0.02)
        finally:
            kept.close()

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def _one(kept: httpx.Client | None, url: str, path: str, *, write: bool, turn: int) -> str | None:
    moment = time.strftime("%H:%M:%S")
    try:
        client = kept or httpx.Client(base_url=url, timeout=10)
        try:
            answer = client.post(path, json={"title": f"load {turn}"}) if write else client.get(path)
        finally:
            if client is not kept:
                client.close()
    except httpx.HTTPError as error:
        return f"{moment} {type(error).__name__}: {error}"
    return None if answer.is_success else f"{moment} {answer.status_code}: {answer.text[:80]}"

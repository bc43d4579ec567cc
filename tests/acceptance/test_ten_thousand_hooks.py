"""Ten thousand signed deliveries, a receiver that is killed again and again, a server that is down and forgets.

None is lost, none counts twice, and those who forge, repeat, flood, stall or babble meanwhile get nothing.
"""

import asyncio
import itertools
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from delivery.home import Home
from delivery.hooks.connections import Connections, Listening
from delivery.hooks.spool import Spool
from delivery.platform.daemon import Daemon
from delivery.waiting import until
from tests.support.events_server import EventsServer, serve_events
from tests.support.platforms import free_port
from tests.support.receivers import connect_all
from tests.support.senders import push, signed

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]
DELIVERIES, AT_ONCE = 10_000, 16
KILLED_AFTER = (1500, 3000, 4500)  # deliveries
HANGS_SECONDS = 600


class Receiver:
    """`headway hooks serve` as a process that may be killed."""

    def __init__(self, folder: Path, api: str) -> None:
        self.home = Home(folder / "home")
        connect_all(self.home)
        self.port = free_port()
        Connections(self.home).listen(Listening(port=self.port))
        self.daemon = Daemon("hooks", folder / "daemons", folder / "hooks.log")
        self.env = {"HEADWAY_HOME": str(self.home.root), "PREFECT_API_URL": api}
        self.secret = Connections(self.home).secret("shop").get_secret_value()

    def start(self) -> None:
        self.daemon.start([sys.executable, "-m", "cli", "hooks", "serve"], self.env)

    def kill(self) -> None:
        process = self.daemon.process()
        process.kill()
        psutil.wait_procs([process], timeout=30)


@pytest.fixture
def server() -> Iterator[tuple[EventsServer, str]]:
    events = EventsServer()
    listening = serve_events(events)
    yield events, f"http://127.0.0.1:{listening.server_port}/api"
    listening.shutdown()
    listening.server_close()


@pytest.fixture
def receiver(tmp_path: Path, server: tuple[EventsServer, str]) -> Iterator[Receiver]:
    made = Receiver(tmp_path, server[1])
    made.start()
    yield made
    made.daemon.stop(grace_seconds=20)


async def request(port: int, path: str, body: bytes, headers: dict[str, str], *, seconds: float = 30) -> int:
    """Return the status of one POST over a connection of its own."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode())
            writer.write(body)
            line = await reader.readline()
            await reader.read()
            return int(line.split()[1])
        finally:
            writer.close()


class Sender:
    """GitHub, and everybody else, at once."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver, self.seconds, self.statuses = receiver, list[float](), Counter[int]()
        self.tried_again, self.against = 0, Counter[str]()
        self.numbers = iter(range(DELIVERIES))
        self.done = 0

    async def deliver(self) -> None:
        """Send one delivery after the other, each again under the same name until it is answered."""
        for number in self.numbers:
            content = push(after=f"{number + 1:040x}", before=f"{number:040x}")
            body, headers = signed(self.receiver.secret, content, delivery=f"delivery-{number}")
            for tries in itertools.count():  # noqa: B007
                began = time.perf_counter()
                try:
                    status = await request(self.receiver.port, "/github/shop", body, headers)
                except (OSError, TimeoutError, IndexError):
                    self.tried_again += 1
                    await asyncio.sleep(0.1)
                    continue
                if status in (200, 202):
                    break
                assert status == 503, status
                await asyncio.sleep(0.1)
            if tries == 0:
                self.seconds.append(time.perf_counter() - began)
            self.statuses[status] += 1
            self.done += 1

    async def attack(self) -> None:
        """Forge, repeat, flood, stall and babble for as long as deliveries are sent."""
        port = self.receiver.port
        stalled: list[asyncio.StreamWriter] = []
        for number in itertools.count():
            if self.done >= DELIVERIES:
                break
            try:
                for what, body, headers in self._wrong(number):
                    status = await request(port, "/github/shop", body, headers)
                    self.against[f"{what} {status}"] += 1
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"POST /github/shop HTTP/1.1\r\nx: ")
                stalled.append(writer)
            except (OSError, TimeoutError, IndexError):
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.02)
        for writer in stalled:
            writer.close()

    def _wrong(self, number: int) -> Iterator[tuple[str, bytes, dict[str, str]]]:
        content = push(after=f"{number:040x}", ref="refs/heads/evil")
        body, headers = signed("guessed", content)
        yield "forged", body, headers
        body, headers = signed(self.receiver.secret, push(after=f"{1:040x}", before=f"{0:040x}"))
        if self.done > 100:
            yield "repeated", body, headers  # the body of the first delivery under a new name
        body, headers = signed(self.receiver.secret, b"{" * 50)
        yield "malformed", body, headers
        yield "no form", body, headers | {"content-type": "text/html"}

    async def disturb(self, events: EventsServer) -> None:
        """Kill the receiver, and let the server be down and forget, while deliveries come."""
        for after in KILLED_AFTER:
            while self.done < after:
                await asyncio.sleep(0.02)
            self.receiver.kill()
            events.is_down = not events.is_down
            events.lose_memory()
            self.receiver.start()
        events.is_down = False

    async def send_all(self, events: EventsServer) -> None:
        senders = [self.deliver() for _ in range(AT_ONCE)]
        await asyncio.gather(*senders, self.attack(), self.disturb(events))


def listens(receiver: Receiver) -> bool:
    async def ask() -> int:
        return await request(receiver.port, "/github/none", b"{}", {"content-type": "application/json"})

    try:
        return asyncio.run(ask()) == 401
    except (OSError, TimeoutError, IndexError):
        return False


def test_ten_thousand_deliveries_are_each_taken_up_once(receiver, server, record_property):
    events, _ = server
    assert until(lambda: listens(receiver), seconds=120, every=0.2)
    sender, began = Sender(receiver), time.monotonic()

    asyncio.run(sender.send_all(events))
    sent = time.monotonic() - began
    spool = Spool.of(receiver.home)
    until(lambda: events.work() or spool.counts().is_done, seconds=HANGS_SECONDS, every=1)
    counts = spool.counts()
    spool.close()

    taken = Counter(run["parameters"]["arrival"]["delivery"] for run in events.runs.values())
    figures = {
        "deliveries": DELIVERIES,
        "at_once": AT_ONCE,
        "per_second": round(DELIVERIES / sent, 1),
        "p50_ms": round(1000 * statistics.median(sender.seconds), 1),
        "p99_ms": round(1000 * statistics.quantiles(sender.seconds, n=100)[98], 1),
        "longest_ms": round(1000 * max(sender.seconds), 1),
        "tried_again": sender.tried_again,
        "told_more_than_once": sum(times > 1 for times in events.told.values()),
        "refused": json.dumps(dict(sorted(sender.against.items()))),
        "cpus": os.cpu_count(),
    }
    for name, value in figures.items():
        record_property(name, value)
    print(figures, file=sys.stderr)
    assert taken == Counter(f"delivery-{number}" for number in range(DELIVERIES))
    assert (counts.taken, counts.waiting, counts.told, counts.refused) == (DELIVERIES, 0, 0, 0)
    assert sum(sender.statuses.values()) == DELIVERIES
    assert {what.split()[-1] for what in sender.against} <= {"401", "200", "400", "415", "503"}
    assert not any(what.startswith(("forged 2", "malformed 2", "no form 2")) for what in sender.against)
    assert len({what.partition(" ")[0] for what in sender.against}) == 4

"""The forwarder: what is on the disk is told until it was taken up, whoever dies meanwhile."""

import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from delivery.home import Home
from delivery.hooks.arrival import Arrival
from delivery.hooks.connections import Listening
from delivery.hooks.spool import FIRST_SECONDS, Counts, Delivery, Spool
from delivery.platform.forwarder import Forwarder, NotTaken
from delivery.platform.receiving import serve


class Clock:
    """A clock that the test moves; it stands where the spool's rows were made."""

    def __init__(self):
        self.at = datetime.now(UTC).timestamp() + 1

    def __call__(self):
        return self.at


class Server:
    """A server that has what it is told in its memory alone until it has made runs of it."""

    def __init__(self):
        self.is_up, self.refuses = True, ""
        self.memory, self.runs, self.tries = [], [], 0

    def tell(self, arrivals):
        self.tries += 1
        if not self.is_up:
            raise httpx.ConnectError("connection refused")
        if any(arrival.delivery == self.refuses for arrival in arrivals):
            raise NotTaken("HTTP 422: too large")
        known = {*self.memory, *self.runs}
        self.memory += [arrival.identity for arrival in arrivals if arrival.identity not in known]

    def taken(self, arrivals):
        if not self.is_up:
            raise httpx.ConnectError("connection refused")
        return {arrival.identity for arrival in arrivals} & set(self.runs)

    def works(self):
        self.runs += self.memory
        self.memory = []

    def dies(self):
        self.memory = []


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def forwarder(spool, server, clock):
    return Forwarder(spool, server, now=clock)


def arrive(spool, *deliveries):
    received = datetime.now(UTC)
    made = [Arrival(kind="push", connection="shop", delivery=one, received=received) for one in deliveries]
    spool.keep([Delivery.of([one], "shop", one.delivery, None) for one in made])
    return [one.identity for one in made]


def test_what_arrived_is_told_in_order_and_done_when_a_run_was_made_of_it(spool, server, forwarder):
    arrived = arrive(spool, "one", "two")

    forwarder.round()
    before = spool.counts()
    server.works()
    forwarder.round()

    assert (before, spool.counts()) == (Counts(told=2), Counts(taken=2))
    assert server.runs == arrived
    assert server.tries == 1


def test_what_a_server_had_in_its_memory_alone_when_it_died_is_told_again(spool, server, forwarder, clock):
    arrived = arrive(spool, "one")
    forwarder.round()
    server.dies()

    forwarder.round()
    in_vain = (list(server.memory), server.tries)
    clock.at += FIRST_SECONDS
    forwarder.round()
    server.works()
    forwarder.round()

    assert in_vain == ([], 1)
    assert (server.runs, spool.counts()) == (arrived, Counts(taken=1))


def test_what_is_told_again_to_a_server_that_lives_is_one_run(spool, server, forwarder, clock):
    arrived = arrive(spool, "one")
    for _ in range(3):
        forwarder.round()
        clock.at += 10 * FIRST_SECONDS
    server.works()
    forwarder.round()

    assert server.tries == 4
    assert server.runs == arrived


def test_while_no_server_answers_nothing_is_lost(spool, server, forwarder):
    server.is_up = False
    arrived = arrive(spool, "one", "two")
    with pytest.raises(httpx.ConnectError):
        forwarder.round()
    waiting = spool.counts()

    server.is_up = True
    forwarder.round()

    assert waiting == Counts(waiting=2)
    assert server.memory == arrived


def test_another_forwarder_goes_on_where_the_one_before_died(spool, server, clock, tmp_path):
    class Dies(Spool):
        def told(self, identities, now=None):
            raise SystemExit("kill -9 between telling and writing down that it was told")

    arrived = arrive(spool, "one")
    dying = Dies(tmp_path / "spool.sqlite")
    with pytest.raises(SystemExit):
        Forwarder(dying, server, now=clock).round()
    dying.close()

    Forwarder(spool, server, now=clock).round()
    server.works()
    Forwarder(spool, server, now=clock).round()

    assert server.runs == arrived
    assert spool.counts() == Counts(taken=1)


def test_what_the_server_refuses_keeps_nothing_else_from_being_told(spool, server, forwarder):
    server.refuses = "two"
    one, _, three = arrive(spool, "one", "two", "three")

    forwarder.round()

    assert server.memory == [one, three]
    assert spool.counts() == Counts(told=2, refused=1)


def test_it_ends_when_it_is_asked_to(spool, server, forwarder):
    thread = threading.Thread(target=forwarder.run)
    thread.start()
    arrive(spool, "one")
    forwarder.kick()
    forwarder.end()
    thread.join(30)

    assert not thread.is_alive()


@pytest.mark.parametrize("verb", ["counts", "due", "told", "taken", "unconfirmed", "give_up"])
def test_a_disk_that_is_full_for_a_while_keeps_nothing_from_being_told_later(spool, server, monkeypatch, verb):
    is_full, taken = [True], threading.Event()

    def fails(*arguments):
        if is_full and is_full.pop():
            raise sqlite3.OperationalError("database or disk is full")
        return ours(*arguments)

    class Taking:
        """A server that makes a run at once."""

        tell = staticmethod(server.tell)

        def taken(self, told):
            server.works()
            return server.taken(told)

    def note(*arguments):
        noted(*arguments)
        taken.set()

    ours = getattr(spool, verb)
    monkeypatch.setattr(spool, verb, fails)
    noted = spool.taken
    monkeypatch.setattr(spool, "taken", note)
    monkeypatch.setattr("delivery.platform.forwarder.FIRST_LOOK_SECONDS", 0.01)
    arrived = arrive(spool, "one")
    forwarder = Forwarder(spool, Taking())
    thread = threading.Thread(target=forwarder.run, daemon=True)
    thread.start()
    was_taken = taken.wait(30)
    forwarder.end()
    thread.join(30)

    assert (was_taken, is_full) == (True, [])
    assert (server.runs, spool.counts()) == (arrived, Counts(taken=1))


def test_a_spool_without_room_is_written_again_when_there_is_room(spool, monkeypatch):
    class Full:
        """A disk that has no room when a change is committed, and then has."""

        in_transaction = property(lambda self: spool_file.in_transaction)

        def execute(self, text, *values):
            if text == "commit" and complaints:
                raise sqlite3.OperationalError(complaints.pop())
            return spool_file.execute(text, *values)

        def close(self):
            spool_file.close()

    complaints, spool_file = ["database or disk is full"], spool._file
    monkeypatch.setattr(spool, "_file", Full())
    with pytest.raises(sqlite3.OperationalError):
        arrive(spool, "one")

    arrive(spool, "two")

    assert [one.arrival.delivery for one in spool.due(10)] == ["two"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_receiver_that_nobody_tells_for_any_more_ends_so_that_it_is_started_again(tmp_path):
    class Dies:
        def tell(self, arrivals):
            raise SystemExit("it ends where nobody looks")

    home = Home(tmp_path / "home")
    before = Spool.of(home)
    arrive(before, "one")
    before.close()
    serving = threading.Thread(target=serve, args=(home, Listening(port=0)), kwargs={"events": Dies()}, daemon=True)
    serving.start()
    serving.join(60)

    assert not serving.is_alive()

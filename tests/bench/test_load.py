"""The load generator counts what its users saw, and hides nothing."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from bench.load import Asked, Client, Counts, Kind, load_on
from tests.architecture.sources import ROOT

GET = Kind("get", 1, 0.001)
NEW = Kind("new", 1, 0.001, kept=False)
POST = Kind("post", 1, 0.001, method="POST")
OK = b"HTTP/1.1 200 OK\r\nX-Release: 7\r\nContent-Length: 2\r\n\r\nok"
ERROR = b"HTTP/1.1 500 Oh\r\nX-Release: 8\r\nContent-Length: 0\r\n\r\n"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf"

Conversation = Callable[[socket.socket], None]


@contextmanager
def serving(conversation: Conversation) -> Iterator[str]:
    """Serve each connection by `conversation`, in a thread; it is closed afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with closing(connection):
                conversation(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def answering(*answers: bytes) -> Conversation:
    """Give each request of a connection the next answer, then close it."""

    def converse(connection: socket.socket) -> None:
        for answer in answers:
            if not connection.recv(65536):
                return
            connection.sendall(answer)

    return converse


def forever(answer: bytes) -> Conversation:
    def converse(connection: socket.socket) -> None:
        with suppress(ConnectionError):  # a client that ends resets what it had open
            while connection.recv(65536):
                connection.sendall(answer)

    return converse


def ask(url: str, times: int = 1, kind: Kind = GET, timeout_seconds: float = 5) -> list[str]:
    client = Client(url, kind, timeout_seconds)
    try:
        return [client.ask().failure for _ in range(times)]
    finally:
        client.close()


def test_a_good_answer_is_no_failure_and_says_which_release_gave_it() -> None:
    with serving(forever(OK)) as url:
        asked = Client(url, NEW).ask()

    assert (asked.failure, asked.release) == ("", "7")


def test_an_error_of_the_server_is_a_failure_and_says_which_release_gave_it() -> None:
    with serving(forever(ERROR)) as url:
        asked = Client(url, NEW).ask()

    assert (asked.failure, asked.release) == ("status 500", "8")


def test_a_kept_connection_that_is_closed_before_an_answer_is_told_apart() -> None:
    def answer_once(connection: socket.socket) -> None:
        answering(OK)(connection)
        connection.recv(65536)  # the second request came, and nothing goes back

    with serving(answer_once) as url:
        failures = ask(url, times=2)

    assert failures == ["", "closed"]


def test_a_kept_connection_that_is_reset_before_an_answer_is_closed_as_well() -> None:
    def reset_second(connection: socket.socket) -> None:
        answering(OK)(connection)
        connection.recv(1)  # what is left unread makes the end a reset

    with serving(reset_second) as url:
        failures = ask(url, times=2)

    assert failures == ["", "closed"]


def test_a_new_connection_without_an_answer_is_reset() -> None:
    with serving(lambda connection: connection.recv(1) and None) as url:
        failures = ask(url)

    assert failures == ["reset"]


def test_after_a_failure_the_next_request_goes_over_a_new_connection() -> None:
    turns = iter([answering(OK, b""), forever(OK)])

    with serving(lambda connection: next(turns)(connection)) as url:
        failures = ask(url, times=3)

    assert failures == ["", "closed", ""]


def test_a_connection_the_server_announced_to_close_is_no_failure() -> None:
    with serving(answering(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))) as url:
        failures = ask(url, times=3)

    assert failures == ["", "", ""]


def test_half_an_answer_is_a_failure_of_its_own() -> None:
    with serving(answering(HALF)) as url:
        assert ask(url) == ["half an answer"]


def test_no_answer_in_time_is_a_timeout() -> None:
    done = threading.Event()

    def say_nothing(connection: socket.socket) -> None:
        connection.recv(65536)
        done.wait(30)

    with serving(say_nothing) as url:
        failures = ask(url, timeout_seconds=0.05)
        done.set()

    assert failures == ["timeout"]


def test_where_nobody_listens_a_request_is_refused() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert ask(f"http://127.0.0.1:{nobody.getsockname()[1]}") == ["refused"]


@pytest.mark.parametrize("kind", [GET, POST], ids=["get", "post"])
def test_no_request_is_sent_twice(kind: Kind) -> None:
    came: list[bytes] = []

    def take_and_close(connection: socket.socket) -> None:
        came.append(connection.recv(65536))

    with serving(take_and_close) as url:
        ask(url, kind=kind)

    assert len(came) == 1


def test_counts_are_kept_by_kind_with_closed_among_the_failed() -> None:
    counts = Counts((GET, POST))
    for failure in ("", "closed", "status 500", "closed"):
        counts.add(GET, Asked(10.0, 0.1, failure))
    counts.add(POST, Asked(11.0, 0.2))

    found = counts.as_data()["kinds"]

    assert [found["get"][key] for key in ("requests", "failed", "closed", "idempotent")] == [4, 3, 2, True]
    assert [found["post"][key] for key in ("requests", "failed", "closed", "idempotent")] == [1, 0, 0, False]
    assert found["get"]["how"] == {"closed": 2, "status 500": 1}


def test_failures_are_listed_with_their_times_in_order() -> None:
    counts = Counts((GET, POST))
    counts.add(POST, Asked(12.0, 0.5, "timeout"))
    counts.add(GET, Asked(11.0, 0.25, "status 500", "8"))

    failures = counts.as_data()["failures"]

    assert failures == [
        {"kind": "get", "how": "status 500", "at": 11.0, "seconds": 0.25, "by": "8"},
        {"kind": "post", "how": "timeout", "at": 12.0, "seconds": 0.5, "by": ""},
    ]


def test_response_times_are_those_of_answers_alone() -> None:
    counts = Counts((GET,))
    for asked in (Asked(1.0, 0.01), Asked(2.0, 0.03), Asked(3.0, 9.0, "timeout")):
        counts.add(GET, asked)

    assert counts.as_data()["kinds"]["get"]["latency_ms"]["max"] == 30.0


def test_it_is_told_when_each_release_answered_first_and_last() -> None:
    counts = Counts((GET,))
    for at, release in ((3.0, "1"), (1.0, "1"), (2.0, "2"), (4.0, "")):
        counts.add(GET, Asked(at, 0.1, release=release))

    assert counts.as_data()["answered"] == {
        "1": {"requests": 2, "first": 1.0, "last": 3.0},
        "2": {"requests": 1, "first": 2.0, "last": 2.0},
    }


def test_a_load_of_many_clients_counts_every_request_the_server_saw() -> None:
    lock, seen = threading.Lock(), [0]
    enough = threading.Event()

    def count(connection: socket.socket) -> None:
        while connection.recv(65536):
            with lock:
                seen[0] += 1
                if seen[0] >= 50:
                    enough.set()
            connection.sendall(OK)

    kinds = (Kind("kept", 3, 0.001), Kind("new", 2, 0.001, kept=False))
    with serving(count) as url, load_on(url, kinds) as counts:
        assert enough.wait(30)

    found = counts.as_data()["kinds"]
    assert sum(one["requests"] for one in found.values()) == seen[0]
    assert {name: one["failed"] for name, one in found.items()} == {"kept": 0, "new": 0}


def test_the_load_is_a_process_that_ends_with_its_input_and_prints_its_counts() -> None:
    with serving(forever(ERROR)) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.load", url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout
            assert process.stdin
            assert process.stdout.readline() == "ready\n"
            process.stdin.close()
            told = json.loads(process.stdout.read())

    assert set(told["kinds"]["GET, new connection"]) >= {"requests", "failed", "closed"}
    assert all(one["failed"] == one["requests"] for one in told["kinds"].values())

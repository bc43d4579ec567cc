"""What a command in the router's container came to, when the router dies just then."""

import contextlib
import itertools
import socket
from types import SimpleNamespace

import pytest

from delivery.docker.engine.exec_stream import KILLED, run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.target.router import Router
from delivery.docker.target.router_scripts import LATE, REFUSED
from delivery.docker.target.serving import _up
from delivery.errors import Rejected, Transient

NAMES = EnvironmentNames("a1b2c3", "shop", "production")


@pytest.fixture
def router(monkeypatch):
    """A router in whose container a command comes to what `comes_to` says."""

    def comes_to(code=0, output="", errors="", raises=None):
        def run(*_, **__):
            if raises:
                raise raises
            return code, output, errors

        monkeypatch.setattr("delivery.docker.target.router.run_in", run)
        return Router(None, NAMES, SimpleNamespace(logs=lambda tail: b"no such file"))

    return comes_to


@pytest.mark.parametrize(
    "death",
    [
        {"code": 126, "output": "OCI runtime exec failed: exec failed: cannot exec in a stopped state: unknown"},
        {"code": KILLED},
        {"raises": BrokenPipeError()},
        {"raises": TimeoutError()},
    ],
)
def test_a_change_that_met_the_routers_death_is_tried_again(router, death) -> None:
    with pytest.raises(Transient, match="the router of production does not"):
        router(**death).check(3)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"code": 1, "errors": "weight is out of range"}, "could not be changed: weight is out of range"),
        ({"code": LATE}, "did not take its new configuration; the end of its log:\nno such file"),
        ({"code": REFUSED, "output": "7\n"}, "obeyed lease 7 already; this change holds lease 3"),
    ],
)
def test_a_change_that_the_router_refuses_is_not(router, answer, message) -> None:
    with pytest.raises(Rejected, match=message):
        router(**answer).check(3)


@pytest.mark.parametrize(("told", "code"), [([None], KILLED), ([0], 0), ([None, None, 0], 0), ([10], 10)])
def test_a_command_whose_end_nobody_ever_knows_did_not_end_well(monkeypatch, told, code) -> None:
    monkeypatch.setattr("delivery.docker.engine.exec_stream.END_SECONDS", 0.1)
    answers = itertools.chain(told, itertools.repeat(told[-1]))
    ours, theirs = socket.socketpair()
    theirs.shutdown(socket.SHUT_WR)  # it says nothing and ends
    api = SimpleNamespace(
        exec_create=lambda *_, **__: {"Id": "1"},
        exec_start=lambda *_, **__: ours,
        exec_inspect=lambda _: {"ExitCode": next(answers)},
    )
    with contextlib.closing(theirs):
        assert run_in(SimpleNamespace(id="c", client=SimpleNamespace(api=api)), ["true"])[0] == code


class Reloaded:
    """A connection to a router's old process, and after it was closed to the new one, which knows one server more."""

    def __init__(self):
        self.servers, self.closed = ["blue-1"], 0

    def stat(self):
        return [SimpleNamespace(service="web", server=server, is_up=True, check="L4OK") for server in self.servers]

    def close(self):
        self.servers, self.closed = ["blue-1", "green-1"], self.closed + 1


def test_a_process_that_a_reload_has_replaced_is_asked_no_more():
    runtime = Reloaded()
    new = SimpleNamespace(service="web", server="green-1", file=SimpleNamespace(port=8000))
    worker = SimpleNamespace(service="worker", server="green-1", file=SimpleNamespace(port=None))

    looks = [_up(runtime, [new, worker]) for _ in range(3)]

    assert [("web", "green-1") in up for up in looks] == [False, True, True]
    assert runtime.closed == 1

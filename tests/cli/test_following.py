"""A run is followed from any machine, to the exit code it has; an interrupt stops it where that was asked for."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli import follow as following
from cli.following import interrupt_once
from delivery.errors import Interrupted
from flows.ending import EXIT_CODES
from flows.runs import RunView
from tests.cli.conftest import Headway

RUN = "0b1c2d3e-0000-4000-8000-000000000001"


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A platform elsewhere with one run, which ends as the test says."""
    made = SimpleNamespace(state="Completed", cancelled=[], interrupted=False)
    prefect = SimpleNamespace(run_url=lambda run: f"https://prefect.example/{run}")

    def view(*_: object, **__: object) -> RunView:
        return RunView(id=RUN, name="shop 1a2b3c4 → production", state=made.state, kind="COMPLETED", message="why")

    def until_ended(*_: object) -> RunView:
        if made.interrupted:
            raise KeyboardInterrupt
        return view()

    monkeypatch.setattr("cli.following.reached", lambda: prefect)
    monkeypatch.setattr("flows.run_search.look", view)
    monkeypatch.setattr(following, "look", view)
    monkeypatch.setattr(following, "_until_ended", until_ended)
    monkeypatch.setattr(following, "cancel", made.cancelled.append)
    monkeypatch.setattr(
        "cli.following.signal",
        SimpleNamespace(SIGTERM=signal.SIGTERM, default_int_handler=None, signal=lambda *_: None),
    )
    return made


@pytest.mark.parametrize("state", EXIT_CODES)
def test_it_ends_with_the_exit_code_of_the_run(headway: Headway, platform: SimpleNamespace, state: str) -> None:
    platform.state = state

    ended = headway("follow", RUN)

    assert ended.code == EXIT_CODES[state]
    assert "shop 1a2b3c4 → production" in ended.out + ended.err
    assert state == "Completed" or "error" in ended.err or ended.code == 0


def test_as_data_it_is_what_is_known_of_the_run(headway: Headway, platform: SimpleNamespace) -> None:
    ended = headway("follow", RUN, "--json")

    data = json.loads(ended.out)
    assert (data["id"], data["exit_code"]) == (RUN, 0)


def test_an_interrupt_stops_the_run_where_that_was_asked_for(headway: Headway, platform: SimpleNamespace) -> None:
    platform.interrupted = True

    ended = headway("follow", RUN, "--stop")

    assert (ended.code, platform.cancelled) == (Interrupted.exit_code, [RUN])


def test_an_interrupt_leaves_the_run_alone_where_it_was_not(headway: Headway, platform: SimpleNamespace) -> None:
    platform.interrupted = True

    ended = headway("follow", RUN)

    assert (ended.code, platform.cancelled) == (Interrupted.exit_code, [])
    assert f"the run goes on: https://prefect.example/{RUN}" in ended.err


@pytest.fixture
def handlers() -> Iterator[None]:
    """Whatever a test makes of signals is over with it."""
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, interrupt_once)
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


def test_further_interrupts_do_not_keep_the_run_from_being_stopped(
    headway: Headway, platform: SimpleNamespace, handlers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all processes of a job are told to end, this one is told by its parent as well."""
    platform.interrupted = True
    known = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]

    def cancel(run: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        platform.cancelled.append(run)

    monkeypatch.setattr(following, "cancel", cancel)

    ended = headway("follow", RUN, "--stop")

    assert (ended.code, platform.cancelled) == (Interrupted.exit_code, [RUN])
    assert "what it had started is removed" in ended.err
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == known


def test_only_the_first_sigterm_interrupts(handlers: None) -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)

    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("command", ["follow", "junit"])
def test_without_a_platform_it_says_what_to_do(headway: Headway, command: str) -> None:
    ended = headway(command, RUN)

    assert ended.code == 2
    assert "next: headway up" in ended.err


@pytest.mark.parametrize("command", ["follow", "junit"])
def test_a_server_that_does_not_answer_is_named_without_its_password(
    headway: Headway, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://ann:pa55word@127.0.0.1:1/api")

    ended = headway(command, RUN)

    assert ended.code == 2
    assert "http://127.0.0.1:1/api does not answer" in ended.err
    assert "pa55word" not in ended.out + ended.err


def test_the_junit_files_go_where_they_are_wanted(
    headway: Headway, platform: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("cli.junit.reached", lambda: None)
    monkeypatch.setattr("flows.results.copy_junit", lambda run, folder: [folder / run / "report.xml"])

    ended = headway("junit", RUN, "--to", tmp_path, "--json")

    assert json.loads(ended.out) == [str(tmp_path / RUN / "report.xml")]

"""Steps: what is tried again, what is kept, how many run at once."""

import asyncio
import errno
import threading
from collections import Counter

import httpx
import pytest
from prefect import flow
from prefect.runtime import flow_run

from blocks.artifact_store import current_store
from delivery.errors import Interrupted, Misconfigured, PlaceGone, Rejected, ReleaseUnhealthy, Transient
from delivery.report.record import StepTime
from flows.limits import at_most, both, one_by_one, raise_failures
from tasks.step import recorded, step

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

calls: Counter[str] = Counter()
troubles: list[Exception] = []
together = threading.Barrier(12)


@step(timeout_seconds=120, name="try {what}")
def attempt(what: str) -> int:
    calls[what] += 1
    if troubles:
        raise troubles.pop(0)
    return calls[what]


@step(timeout_seconds=120, keep=False)
def look_around(what: str) -> int:
    calls[what] += 1
    return calls[what]


@step(timeout_seconds=120, keep=False)
def meet(number: int) -> int:
    together.wait(timeout=60)
    return number


@flow(name="one step")
async def one_step() -> int:
    with recorded(str(flow_run.id)):
        return await attempt("step")


@flow(name="kept and not", persist_result=True)
async def kept_and_not(fails: bool) -> tuple[int, int]:
    found = await attempt("kept"), await look_around("not kept")
    if fails and found == (1, 1):
        raise Rejected("the first time")
    return found


@flow(name="many at once")
async def many_at_once() -> list[int]:
    return await at_most(12)(meet(number) for number in range(12))


@pytest.fixture(autouse=True)
def fresh():
    calls.clear()
    troubles.clear()


def steps_of(run):
    return [StepTime.model_validate_json(current_store().get(key)) for key in current_store().keys(f"runs/{run}/steps")]


def test_what_may_heal_is_tried_again_and_every_attempt_is_on_record(platform):
    troubles[:] = [Transient("once"), Transient("twice")]

    run = platform.run(one_step, {})

    assert run.error == 3
    assert [(done.name, done.outcome, done.attempts) for done in steps_of(run.id)] == [
        ("try step", "failed", 1),
        ("try step", "failed", 2),
        ("try step", "done", 3),
    ]


def test_a_server_that_is_started_again_is_waited_for(platform):
    troubles[:] = [httpx.ConnectError("connection refused")]

    run = platform.run(one_step, {})

    assert run.error == 2


def test_an_engine_that_is_restarted_is_waited_for(platform, monkeypatch):
    troubles[:] = [PlaceGone("the Docker engine stopped answering")]
    looks = iter([False, False, True])
    monkeypatch.setattr("delivery.opening.places_answer", lambda: next(looks))

    run = platform.run(one_step, {})

    assert (run.error, next(looks, None)) == (2, None)


def test_a_full_disk_ends_a_step_in_words_and_at_once(platform):
    troubles[:] = [OSError(errno.ENOSPC, "No space left on device", str(platform.home.store / "a.json"))]

    run = platform.run(one_step, {})

    assert isinstance(run.error, Rejected)
    assert f"{platform.home.store}/a.json cannot be written: the disk is full" in str(run.error)
    assert calls["step"] == 1


@pytest.mark.parametrize(
    "error",
    [
        Rejected("no"),
        ReleaseUnhealthy("ill"),
        Misconfigured("file", "wrong"),
        Interrupted("stop"),
        ValueError("a mistake"),
    ],
)
def test_what_does_not_heal_is_not_tried_again(platform, error):
    troubles[:] = [error]

    run = platform.run(one_step, {})

    assert type(run.error) is type(error)
    assert str(run.error) == str(error)
    assert calls["step"] == 1


def test_what_does_not_heal_in_time_is_given_up(platform):
    troubles[:] = [Transient("again")] * 9

    run = platform.run(one_step, {})

    assert isinstance(run.error, Transient)
    assert calls["step"] == 4


def test_a_run_that_starts_again_keeps_results_but_looks_at_the_world_anew(platform):
    first = platform.run(kept_and_not, {"fails": True})
    assert first.state.is_failed()

    again = platform.carry_again(kept_and_not, first.id)

    assert again.error == (1, 2)


def test_another_run_does_everything_itself(platform):
    platform.run(kept_and_not, {"fails": False})

    assert platform.run(kept_and_not, {"fails": False}).error == (2, 2)


def test_as_many_steps_run_at_once_as_the_file_asks_for(platform):
    assert platform.run(many_at_once, {}).error == list(range(12))


async def say(result):
    if isinstance(result, BaseException):
        raise result
    return result


def test_both_failures_are_told(loop):
    with pytest.raises(Rejected, match=r"^one\ntwo$"):
        loop.run(both(say(Rejected("one")), say(Rejected("two"))))


def test_an_error_of_our_own_program_goes_before_what_a_gate_says(loop):
    with pytest.raises(ZeroDivisionError):
        loop.run(both(say(Rejected("one")), say(ZeroDivisionError())))


def test_one_failure_does_not_keep_the_others_from_their_turn(loop):
    results, failures = loop.run(one_by_one([say(1), say(Rejected("two")), say(3)]))

    assert results == [1, 3]
    with pytest.raises(Rejected, match="two"):
        raise_failures(failures)


def test_a_limit_counts_over_all_who_share_it(loop):
    running, most = 0, []

    async def work() -> None:
        nonlocal running
        running += 1
        most.append(running)
        await asyncio.sleep(0)
        running -= 1

    async def gather(among: str | None) -> None:
        await asyncio.gather(*(at_most(2, among=among)(work() for _ in range(4)) for _ in range(2)))

    loop.run(gather("run"))
    shared = max(most)
    most.clear()
    loop.run(gather(None))

    assert (shared, max(most)) == (2, 4)

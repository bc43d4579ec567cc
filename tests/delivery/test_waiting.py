"""Waiting ends with what was waited for, with the time, or when it cannot come any more."""

import asyncio

import pytest

from delivery.waiting import until, until_async


class Answers:
    """Gives one answer after the other, and counts how often it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = answers, 0

    def __call__(self):
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]

    async def later(self):
        return self()


def test_what_was_waited_for_is_returned_as_soon_as_it_is_there():
    answers = Answers(None, "", "27.5.1", "later")

    assert until(answers, seconds=60, every=0) == "27.5.1"
    assert answers.asked == 3


def test_when_the_time_is_over_it_was_looked_once_at_least():
    answers = Answers(False)

    assert until(answers, seconds=0, every=60) is False
    assert answers.asked == 1


def test_what_cannot_come_any_more_is_not_waited_for():
    answers, ended = Answers("", "", "", "too late"), Answers(False, False, True)

    assert until(answers, seconds=60, every=0, unless=ended) == ""
    assert answers.asked == 3


def test_what_is_there_counts_although_nothing_more_can_come():
    assert until(Answers("here"), seconds=0, every=0, unless=lambda: True) == "here"


def test_an_error_is_passed_on():
    def fails():
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        until(fails, seconds=60, every=60)


def test_steps_wait_in_the_same_way():
    answers, never = Answers(0, 7), Answers(0)

    async def both():
        return await until_async(answers.later, seconds=60, every=0), await until_async(never.later, seconds=0, every=1)

    assert asyncio.run(both()) == (7, 0)
    assert (answers.asked, never.asked) == (2, 1)


def test_what_a_lambda_looks_at_is_awaited_as_well():
    answers = Answers(0, 7)

    async def wait():
        return await until_async(lambda: answers.later(), seconds=60, every=0)

    assert (asyncio.run(wait()), answers.asked) == (7, 2)

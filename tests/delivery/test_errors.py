"""Errors say what to do, keep their parts on the way between processes, and choose the exit code."""

import pickle

import pytest

from delivery.errors import (
    CommandFailed,
    HeadwayError,
    Interrupted,
    Misconfigured,
    NotNeeded,
    Rejected,
    ReleaseUnhealthy,
    Transient,
)

ALL = [
    Transient("later"),
    Rejected("no"),
    ReleaseUnhealthy("ill"),
    Misconfigured("file: key", "1", "2", "headway check"),
    CommandFailed(["git", "log"], 128, "fatal"),
    Interrupted("stopped"),
    NotNeeded("it is not so any more"),
]


def test_a_mistake_says_place_found_allowed_and_next_step() -> None:
    assert (
        str(Misconfigured("file: key", "1", "2", "headway check")) == "file: key: 1; allowed: 2\n  next: headway check"
    )
    assert str(Misconfigured("file", "is empty")) == "file: is empty"


def test_a_failed_command_shows_its_first_words_and_last_lines() -> None:
    error = CommandFailed(["docker", "build", "-f", "x", "--secret", "y"], 1, "no space left\n")
    assert str(error) == "docker build -f x … ended with exit code 1\nno space left"


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_to_another_process(error: HeadwayError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.exit_code) == (type(error), str(error), error.exit_code)


def test_exit_codes_are_the_documented_ones() -> None:
    assert [error.exit_code for error in ALL] == [1, 1, 3, 2, 1, 130, 0]

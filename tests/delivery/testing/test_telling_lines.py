"""What a program that failed said, in one line."""

import pytest

from delivery.testing.telling_lines import alike, in_one_line, telling_line


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("starting\nERROR: no column title\nLINE 1: select title\n        ^\n", "ERROR: no column title"),
        ("starting\nstopping\n---\n", "stopping"),
        ("", "it said nothing"),
    ],
)
def test_the_line_that_says_most_is_told(log, line):
    assert telling_line(log) == line


def test_the_same_problem_with_another_number_is_the_same_problem():
    assert alike("Key (id)=(99) already exists", "Key (id)=(7) already exists")
    assert not alike("Key (id)=(99) already exists", "unknown status")
    assert not alike("", "")


def test_of_several_lines_the_first_and_the_last_are_told():
    assert in_one_line("a\n\nb\nc\n") == "a … c"
    assert in_one_line("a\n") == "a"
    assert in_one_line("") == ""

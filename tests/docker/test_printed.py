"""What containers print comes out as whole lines, in the order of their time."""

import pytest

from delivery.docker.engine.printed import lines_of
from delivery.ports.logs import LogWish


class Stream:
    def __init__(self, chunks):
        self.chunks, self.closed = iter(chunks), False

    def __iter__(self):
        return self

    def __next__(self):
        chunk = next(self.chunks)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def close(self):
        self.closed = True


class Container:
    """Prints these chunks, as the engine hands them out."""

    def __init__(self, *chunks):
        self.stream, self.asked = Stream(chunks), {}

    def logs(self, **asked):
        self.asked = asked
        return self.stream


def printed(second, text):
    return f"2030-01-01T00:00:{second:02}.000000000Z {text}".encode()


def lines(containers, **wish):
    return [(one.source, one.text) for one in lines_of(containers, LogWish(part="web", **wish))]


def test_lines_of_several_containers_are_in_the_order_of_their_time():
    one, two = Container(printed(1, "a\n"), printed(4, "d\n")), Container(printed(2, "b\n"), printed(3, "c\n"))

    assert lines({"web-1": one, "web-2": two}) == [("web-1", "a"), ("web-2", "b"), ("web-2", "c"), ("web-1", "d")]
    assert one.stream.closed
    assert two.stream.closed


def test_a_line_that_comes_in_parts_is_one_line():
    assert lines({"web-1": Container(printed(1, "a" * 10), printed(2, "b\n"), printed(3, "no end"))}) == [
        ("web-1", "aaaaaaaaaab"),
        ("web-1", "no end"),
    ]


def test_only_what_is_wanted_is_asked_for():
    container = Container()
    lines({"web-1": container}, tail=3, since="2030-01-01T00:00:00Z", follow=True)
    assert (container.asked["tail"], container.asked["since"], container.asked["follow"]) == (3, 1893456000, True)


def test_what_is_followed_ends_when_all_have_ended():
    containers = {"web-1": Container(printed(1, "a\n")), "web-2": Container(printed(2, "b\n"))}
    assert sorted(lines(containers, follow=True)) == [("web-1", "a"), ("web-2", "b")]


def test_an_engine_that_goes_while_it_is_followed_is_told():
    with pytest.raises(ConnectionError):
        lines({"web-1": Container(printed(1, "a\n"), ConnectionError("gone"))}, follow=True)

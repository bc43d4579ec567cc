"""What containers print comes out as whole lines, in the order of their time."""

import struct
from types import SimpleNamespace

import pytest

from delivery.docker.engine.client import connect
from delivery.docker.engine.printed import lines_of
from delivery.docker.images.bases import resolve_base
from delivery.home import Home
from delivery.ports.logs import LogWish


class Raw:
    """What the engine sends: these pieces, each behind its header."""

    def __init__(self, pieces):
        self.pieces, self.here, self.closed = iter(pieces), b"", False

    def read(self, size):
        if not self.here:
            piece = next(self.pieces, b"")
            if isinstance(piece, Exception):
                raise piece
            source, data = piece or (0, b"")
            self.here = struct.pack(">BxxxL", source, len(data)) + data if data else b""
        read, self.here = self.here[:size], self.here[size:]
        return read


class Response:
    def __init__(self, pieces):
        self.raw, self.closed = Raw(pieces), False

    def raise_for_status(self):
        assert not self.closed

    def close(self):
        self.closed = True


class Container:
    """Prints these pieces, as the engine hands them out."""

    def __init__(self, *pieces):
        self.id, self.attrs, self.response, self.asked = "0", {"Config": {"Tty": False}}, Response(pieces), {}
        self.client = SimpleNamespace(api=SimpleNamespace(base_url="http://engine", api_version="1.41", get=self.get))

    def get(self, url, params, **_):
        assert url == "http://engine/v1.41/containers/0/logs"
        self.asked = params
        return self.response


def printed(second, text, source=1):
    return source, f"2030-01-01T00:00:{second:02}.000000000Z {text}".encode()


def lines(containers, **wish):
    return [(one.source, one.text) for one in lines_of(containers, LogWish(part="web", **wish))]


def test_lines_of_several_containers_are_in_the_order_of_their_time():
    one, two = Container(printed(1, "a\n"), printed(4, "d\n")), Container(printed(2, "b\n"), printed(3, "c\n"))

    assert lines({"web-1": one, "web-2": two}) == [("web-1", "a"), ("web-2", "b"), ("web-2", "c"), ("web-1", "d")]
    assert one.response.closed
    assert two.response.closed


def test_a_line_that_comes_in_parts_is_one_line():
    assert lines({"web-1": Container(printed(1, "a" * 10), printed(2, "b\n"), printed(3, "no end"))}) == [
        ("web-1", "aaaaaaaaaab"),
        ("web-1", "no end"),
    ]


def test_parts_of_a_line_may_have_a_line_of_the_other_stream_between_them():
    parts = printed(1, "a" * 10), printed(2, "careful\n", source=2), printed(3, "b\n"), printed(4, "oh", source=2)
    assert lines({"web-1": Container(*parts)}) == [("web-1", "careful"), ("web-1", "aaaaaaaaaab"), ("web-1", "oh")]


@pytest.mark.docker
def test_a_terminal_has_lines_and_no_frames():
    """https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach"""
    script = ["sh", "-c", "echo one; echo two >&2; printf three"]
    image = resolve_base("busybox:1.36", home=Home.current()).used
    container = connect().containers.run(image, script, tty=True, detach=True)
    try:
        container.wait()
        assert lines({"web": container}) == [("web", "one"), ("web", "two"), ("web", "three")]
    finally:
        container.remove(force=True)


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

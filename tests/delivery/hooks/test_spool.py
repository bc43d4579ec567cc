"""The spool: what is kept once is there until it is taken up, and counts once however often it is sent."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from delivery.hooks.arrival import Arrival
from delivery.hooks.spool import GIVEN_UP_SECONDS, Counts, Delivery, Spool


def arrival(delivery: str, number: int = 0) -> Arrival:
    received = datetime(2026, 5, 1, tzinfo=UTC)
    return Arrival(kind="push", connection="shop", delivery=delivery, number=number, received=received)


def sent(delivery: str, body: bytes | None = None, count: int = 1) -> Delivery:
    arrivals = [arrival(delivery, number) for number in range(count)]
    return Delivery.of(arrivals, "shop", delivery, delivery.encode() if body is None else body)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool.sqlite")
    yield opened
    opened.close()


def names(spool: Spool, now: float = 1e12) -> list[str]:
    return [one.arrival.delivery for one in spool.due(100, now)]


def test_what_is_kept_is_there_for_whoever_opens_the_spool_next(spool: Spool, tmp_path: Path) -> None:
    assert spool.keep([sent("one"), sent("two")]) == [True, True]
    other = Spool(tmp_path / "spool.sqlite")
    found = names(other)
    other.close()
    assert found == ["one", "two"]


def test_the_same_delivery_counts_once_also_when_it_comes_twice_at_once(spool: Spool) -> None:
    assert spool.keep([sent("one"), sent("one")]) == [True, False]
    assert spool.keep([sent("one", b"changed")]) == [False]
    assert names(spool) == ["one"]


def test_the_same_body_under_another_name_counts_once(spool: Spool) -> None:
    assert spool.keep([sent("one", b"body"), sent("two", b"body")]) == [True, False]
    assert names(spool) == ["one"]


def test_what_was_taken_up_is_known_for_good_and_its_content_is_not_kept(spool: Spool, tmp_path: Path) -> None:
    spool.keep([sent("one")])
    spool.told([arrival("one").identity], 0)
    spool.taken([arrival("one").identity])
    assert spool.keep([sent("one")]) == [False]
    assert spool.keep([sent("another", b"one")]) == [False]
    assert (names(spool), spool.counts()) == ([], Counts(taken=1))
    assert b'"delivery":"one"' not in b"".join(path.read_bytes() for path in tmp_path.glob("spool.sqlite"))


def test_every_happening_of_a_delivery_is_kept_or_none(spool: Spool) -> None:
    assert spool.keep([sent("one", count=3)]) == [True]
    assert [one.arrival.number for one in spool.due(10, 1e12)] == [0, 1, 2]
    assert len({one.arrival.identity for one in spool.due(10, 1e12)}) == 3


def test_what_was_told_is_told_again_after_longer_and_longer_pauses(spool: Spool) -> None:
    spool.keep([sent("one")])
    pauses, now = [], 1e10
    for _ in range(9):
        spool.told([arrival("one").identity], now)
        due = next(now + seconds for seconds in range(5000) if names(spool, now + seconds))
        pauses.append(round(due - now))
        now = due
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_what_nobody_takes_up_keeps_nothing_else_from_being_looked_at(spool: Spool) -> None:
    spool.keep([sent("old")])
    for _ in range(3):
        spool.told([arrival("old").identity], 0)
    spool.keep([sent("new")])
    spool.told([arrival("new").identity], 0)
    assert [one.identity for one in spool.unconfirmed(1)] == [arrival("new").identity]


def test_what_the_server_refuses_is_told_no_more(spool: Spool) -> None:
    spool.keep([sent("one")])
    spool.refused([arrival("one").identity], "HTTP 422")
    assert (names(spool), spool.counts().refused) == ([], 1)


def test_what_was_told_in_vain_for_a_week_is_given_up_and_what_was_never_told_is_not(spool: Spool) -> None:
    spool.keep([sent("told"), sent("waiting")])
    spool.told([arrival("told").identity], 0)
    assert spool.give_up(datetime.now(UTC).timestamp() + GIVEN_UP_SECONDS + 60) == 1
    assert names(spool) == ["waiting"]


def test_a_delivery_that_cannot_be_kept_leaves_nothing_by_which_it_would_be_known(spool: Spool) -> None:
    broken = sent("two")._replace(arrivals=(None,))  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        spool.keep([sent("one"), broken])
    assert names(spool) == []
    assert spool.keep([sent("one"), sent("two")]) == [True, True]

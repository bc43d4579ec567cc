"""The lease: one holder at a time, and a sequence that only grows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from delivery.changes.lease import LeaseBook
from delivery.errors import Rejected, Transient


@pytest.fixture
def book(tmp_path: Path) -> LeaseBook:
    return LeaseBook(tmp_path / "leases")


def test_every_holder_gets_a_higher_sequence(book: LeaseBook) -> None:
    first = book.take("shop", "production", holder="one", reason="release a")
    book.give_back(first)
    second = book.take("shop", "production", holder="two", reason="release b")
    assert (first.sequence, second.sequence) == (1, 2)


def test_the_second_waits_and_is_told_by_whom(book: LeaseBook) -> None:
    book.take("shop", "production", holder="one", reason="release a")
    with pytest.raises(Transient, match=r"production of shop is held by one since .* \(release a\)"):
        book.take("shop", "production", holder="two", reason="release b")


def test_the_second_is_refused_by_policy(book: LeaseBook) -> None:
    book.take("shop", "production", holder="one", reason="release a")
    with pytest.raises(Rejected, match="held by one"):
        book.take("shop", "production", holder="two", reason="release b", policy="reject")


def test_a_superseded_holder_is_told_at_its_next_renewal(book: LeaseBook) -> None:
    lease = book.take("shop", "production", holder="one", reason="release a")
    with pytest.raises(Transient):
        book.take("shop", "production", holder="two", reason="release b", policy="supersede")
    with pytest.raises(Rejected, match="superseded by two"):
        book.renew(lease)


def test_environments_do_not_wait_for_each_other(book: LeaseBook) -> None:
    book.take("shop", "staging", holder="one", reason="release a")
    assert book.take("shop", "production", holder="two", reason="release b").holder == "two"


def test_an_expired_lease_can_be_taken_and_the_sleeper_is_refused(tmp_path: Path) -> None:
    short = LeaseBook(tmp_path, lease_seconds=-1)
    asleep = short.take("shop", "production", holder="one", reason="release a")
    assert short.read("shop", "production").is_abandoned(datetime.now(UTC))
    LeaseBook(tmp_path).take("shop", "production", holder="two", reason="release b")
    with pytest.raises(Rejected, match="lost"):
        short.renew(asleep)


def test_giving_back_what_somebody_else_holds_changes_nothing(tmp_path: Path) -> None:
    asleep = LeaseBook(tmp_path, lease_seconds=-1).take("shop", "production", holder="one", reason="release a")
    book = LeaseBook(tmp_path)
    book.take("shop", "production", holder="two", reason="release b")
    book.give_back(asleep)
    assert book.read("shop", "production").holder == "two"


def test_a_renewed_lease_lives_longer(book: LeaseBook) -> None:
    lease = book.take("shop", "production", holder="one", reason="release a")
    renewed = book.renew(lease)
    assert lease.expires is not None
    assert renewed.expires is not None
    assert renewed.expires > lease.expires
    assert renewed.is_held(lease.expires - timedelta(seconds=1))


def test_a_lease_is_stolen_from_the_one_who_was_named(book: LeaseBook) -> None:
    robbed = book.take("shop", "production", holder="one", reason="release a")

    stolen = book.take("shop", "production", holder="two", reason="release b", policy="reject", steal="one")

    assert (stolen.holder, stolen.sequence) == ("two", robbed.sequence + 1)
    assert stolen.was_stolen
    assert stolen.theft is not None
    assert stolen.theft.describe().startswith("production was stolen from one (release a) by two at 20")
    assert book.renew(stolen).theft == stolen.theft


def test_nobody_but_the_one_who_was_named_is_robbed(book: LeaseBook) -> None:
    book.take("shop", "production", holder="other", reason="release c")

    with pytest.raises(Transient, match="held by other"):
        book.take("shop", "production", holder="two", reason="release b", steal="one")

    assert book.read("shop", "production").theft is None


def test_what_nobody_holds_is_taken_and_not_stolen(book: LeaseBook) -> None:
    book.give_back(book.take("shop", "production", holder="one", reason="release a"))

    taken = book.take("shop", "production", holder="two", reason="release b", steal="one")

    assert not taken.was_stolen
    assert taken.theft is None


def test_the_robbed_hears_by_whom_at_its_renewal_and_at_its_next_effect(book: LeaseBook) -> None:
    robbed = book.take("shop", "production", holder="one", reason="release a")
    stolen = book.take("shop", "production", holder="two", reason="release b", steal="one")

    with pytest.raises(Rejected, match=r"^stolen by two: production was stolen from one"):
        book.renew(robbed)
    with pytest.raises(Rejected, match=r"^stolen by two"):
        book.check("shop", "production", robbed.sequence)
    book.check("shop", "production", stolen.sequence)


def test_the_robbed_hears_of_it_although_the_thief_is_done(book: LeaseBook) -> None:
    robbed = book.take("shop", "production", holder="one", reason="release a")
    book.give_back(book.take("shop", "production", holder="two", reason="release b", steal="one"))
    assert book.read("shop", "production").was_stolen
    later = book.take("shop", "production", holder="three", reason="release c")

    with pytest.raises(Rejected, match=r"^stolen by two"):
        book.renew(robbed)
    assert not later.was_stolen


def test_nobody_steals_from_itself(book: LeaseBook) -> None:
    book.take("shop", "production", holder="one", reason="release a")

    assert book.take("shop", "production", holder="one", reason="release a", steal="one").theft is None


def test_the_lease_of_a_dead_holder_ends_at_once_and_the_next_gets_a_higher_sequence(book: LeaseBook) -> None:
    dead = book.take("shop", "production", holder="one", reason="release a")

    assert book.end(dead)

    assert book.read("shop", "production").is_abandoned(datetime.now(UTC))
    assert book.take("shop", "production", holder="two", reason="recovery").sequence == dead.sequence + 1


def test_a_lease_that_went_to_somebody_else_or_was_given_back_is_not_ended(book: LeaseBook) -> None:
    dead = book.take("shop", "production", holder="one", reason="release a")
    book.give_back(dead)
    free = book.end(dead)
    living = book.take("shop", "production", holder="two", reason="release b")

    assert (free, book.end(dead)) == (False, False)
    assert book.read("shop", "production") == living

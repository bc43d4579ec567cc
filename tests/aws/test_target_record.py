"""The record of an environment on ECS is a fence: nothing that was read a moment too early is written over it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from delivery.aws.target_record import RecordBook, SlotRecord, TargetRecord
from delivery.errors import Rejected
from delivery.spec.services import Service
from tests.delivery.values import make_release

pytestmark = pytest.mark.xdist_group("local-aws")
BUCKET = "shop-records"


@pytest.fixture(scope="module")
def bucket(aws):
    aws.client("s3").create_bucket(Bucket=BUCKET)
    return aws


@pytest.fixture
def book(bucket, request):
    return lambda sequence: RecordBook(bucket.client("s3"), BUCKET, f"targets/{request.node.name}.json", sequence)


def slot(number=1, sequence=1):
    return SlotRecord(release=make_release(number), services={"web": Service(port=80)}, sequence=sequence)


def test_of_many_who_write_at_once_none_is_lost(book):
    def count(number):
        book(number).change(lambda found: found.model_copy(update={"settled": f"{found.settled}x"}))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, [1] * 12))

    assert book(0).read().settled == "x" * 12


def test_an_older_lease_writes_nothing_and_is_told_which_was_obeyed(book):
    book(3).change(lambda found: found.with_slot("blue", slot()))

    with pytest.raises(Rejected, match="obeyed lease 3 already; this change holds lease 2"):
        book(2).change(lambda found: TargetRecord())

    assert (book(0).read().sequence, set(book(0).read().slots)) == (3, {"blue"})


def test_a_lease_that_ends_between_reading_and_writing_writes_nothing(book):
    def overtaken(found):
        if found.sequence == 1 and not taken:
            taken.append(book(2).change(lambda one: one))
        return found.with_slot("green", slot())

    taken: list[TargetRecord] = []
    book(1).change(lambda found: found)

    with pytest.raises(Rejected, match="obeyed lease 2 already"):
        book(1).change(overtaken)

    assert (len(taken), book(0).read().slots) == (1, {})


def test_nothing_was_obeyed_where_nothing_was_written(book):
    assert book(0).read() == TargetRecord()


def test_a_release_that_stands_in_both_slots_is_the_one_that_was_staged_last():
    both = TargetRecord(slots={"blue": slot(sequence=2), "green": slot(sequence=5)}, shares={"blue": 100})

    assert both.colour_of(make_release(1)) == "green"
    assert both.colour_of(make_release(2)) is None
    assert both.live == "blue"
    assert both.with_traffic("green").shares == {"blue": 0, "green": 100}
    assert both.with_slot("blue", None).live is None

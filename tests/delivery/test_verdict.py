"""Live traffic is judged healthy, unhealthy or, when it cannot be told, inconclusive."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from delivery.app import Watch
from delivery.target import SlotCounts
from delivery.verdict import SURE, VERY_SURE, judge

NONE = SlotCounts()
ORDER = {"healthy": 0, "inconclusive": 1, "unhealthy": 2}
WINDOWS = st.builds(
    lambda percent, requests: Watch(max_error_percent=percent, min_requests=requests),
    st.floats(0, 100),
    st.integers(0, 50),
)
COUNTS = st.integers(0, 300).flatmap(
    lambda requests: st.builds(SlotCounts, requests=st.just(requests), errors=st.integers(0, requests))
)


def counts(errors: int, requests: int) -> SlotCounts:
    return SlotCounts(requests=requests, errors=errors)


def verdict(live: SlotCounts, baseline: SlotCounts = NONE, window: Watch | None = None, level: float = SURE) -> str:
    return judge(window or Watch(), live, baseline, level=level)[0]


@pytest.mark.parametrize(
    ("live", "baseline", "expected"),
    [
        (counts(0, 0), NONE, "inconclusive"),
        (counts(0, 19), NONE, "inconclusive"),
        (counts(19, 19), NONE, "inconclusive"),
        (counts(0, 20), NONE, "healthy"),
        (counts(1, 100), NONE, "healthy"),
        (counts(1, 20), NONE, "inconclusive"),
        (counts(20, 20), NONE, "unhealthy"),
        (counts(5, 50), counts(0, 50), "unhealthy"),
        (counts(5, 50), counts(5, 50), "inconclusive"),
        (counts(30, 50), counts(30, 50), "inconclusive"),
        (counts(30, 50), counts(5, 50), "unhealthy"),
        (counts(30, 50), counts(30, 30), "inconclusive"),
    ],
)
def test_traffic_is_judged_against_the_limit_and_the_other_slot(
    live: SlotCounts, baseline: SlotCounts, expected: str
) -> None:
    assert verdict(live, baseline) == expected


@given(WINDOWS, COUNTS, COUNTS)
def test_one_more_error_never_makes_it_healthier(window: Watch, live: SlotCounts, baseline: SlotCounts) -> None:
    assume(live.errors < live.requests)
    worse = counts(live.errors + 1, live.requests)
    assert ORDER[verdict(worse, baseline, window)] >= ORDER[verdict(live, baseline, window)]


@given(WINDOWS, COUNTS, COUNTS)
def test_errors_of_the_release_before_never_make_it_worse(
    window: Watch, live: SlotCounts, baseline: SlotCounts
) -> None:
    assume(baseline.errors < baseline.requests)
    more = counts(baseline.errors + 1, baseline.requests)
    assert ORDER[verdict(live, more, window)] <= ORDER[verdict(live, baseline, window)]


@given(WINDOWS, st.integers(1, 300), COUNTS)
def test_no_error_in_enough_requests_is_healthy(window: Watch, requests: int, baseline: SlotCounts) -> None:
    assume(requests >= window.min_requests)
    assert verdict(counts(0, requests), baseline, window) == "healthy"


@given(st.integers(1, 50), st.data(), COUNTS)
def test_too_few_requests_say_nothing(needed: int, data: st.DataObject, baseline: SlotCounts) -> None:
    requests = data.draw(st.integers(0, needed - 1))
    live = counts(data.draw(st.integers(0, requests)), requests)
    assert verdict(live, baseline, Watch(min_requests=needed)) == "inconclusive"


@given(WINDOWS, COUNTS, COUNTS)
def test_a_look_that_is_repeated_needs_more_to_say_unhealthy(
    window: Watch, live: SlotCounts, baseline: SlotCounts
) -> None:
    repeated = verdict(live, baseline, window, VERY_SURE)
    assert ORDER[repeated] <= ORDER[verdict(live, baseline, window, SURE)]


@given(WINDOWS, COUNTS, COUNTS)
def test_every_verdict_has_a_reason_with_its_numbers(window: Watch, live: SlotCounts, baseline: SlotCounts) -> None:
    assert str(live.requests) in judge(window, live, baseline)[1]


def test_with_no_error_allowed_one_is_too_many() -> None:
    assert verdict(counts(1, 1000), window=Watch(max_error_percent=0)) == "unhealthy"

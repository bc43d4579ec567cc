"""Response times are kept as counts that can be added, subtracted and asked for quantiles."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.ports.latency import GROWTH, LONGEST_MS, SHORTEST_MS, LatencyHistogram

TIMES = st.lists(st.floats(SHORTEST_MS, LONGEST_MS), max_size=200)
SOME_TIMES = st.lists(st.floats(SHORTEST_MS, LONGEST_MS), min_size=1, max_size=200)
of = LatencyHistogram.of


@given(SOME_TIMES, st.floats(0, 1))
def test_a_quantile_is_right_to_within_one_bucket(times: list[float], share: float) -> None:
    exact = float(np.quantile(times, share, method="inverted_cdf"))
    assert exact / GROWTH <= (of(times).quantile(share) or 0) <= exact * GROWTH


def test_without_requests_there_is_no_quantile() -> None:
    assert LatencyHistogram().quantile(0.5) is None


@given(TIMES, TIMES)
def test_what_was_counted_before_can_be_taken_away_again(before: list[float], after: list[float]) -> None:
    assert of(before).plus(of(after)) == of([*before, *after])
    assert of([*before, *after]).minus(of(before)) == of(after)


@given(TIMES, TIMES)
def test_a_counter_that_began_anew_gives_no_negative_counts(now: list[float], before: list[float]) -> None:
    assert all(count > 0 for count in of(now).minus(of(before)).counts.values())


@given(TIMES)
def test_every_request_is_counted_once(times: list[float]) -> None:
    assert of(times).total == len(times)


@given(TIMES, st.floats(SHORTEST_MS, LONGEST_MS))
def test_longer_requests_are_counted_but_for_those_of_the_same_bucket(times: list[float], limit: float) -> None:
    surely = sum(time > limit * GROWTH for time in times)
    assert surely <= of(times).above(limit) <= sum(time > limit for time in times)


@pytest.mark.parametrize("bucket", range(-20, 130, 10))
def test_a_bound_belongs_to_the_bucket_below_it(bucket: int) -> None:
    assert of([GROWTH**bucket]).counts == {bucket: 1}
    assert of([GROWTH**bucket * 1.001]).counts == {bucket + 1: 1}


@pytest.mark.parametrize("time", [0, -1, 1e-9, 1e9, math.inf])
def test_times_out_of_range_are_counted_at_its_ends(time: float) -> None:
    assert of([time]) == of([SHORTEST_MS if time < 1 else LONGEST_MS])


@given(TIMES)
def test_it_is_kept_as_json(times: list[float]) -> None:
    assert LatencyHistogram.model_validate_json(of(times).model_dump_json()) == of(times)

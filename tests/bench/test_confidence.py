"""What few numbers allow to say."""

import pytest

from bench.confidence import median_and_p95
from delivery.verdict import upper_bound


def test_none_failed_of_many_means_at_most_three_of_as_many() -> None:
    assert upper_bound(0, 100_000) == pytest.approx(3 / 100_000, rel=0.002)


def test_what_failed_raises_the_bound_above_the_share_itself() -> None:
    assert 1 / 100 < upper_bound(1, 100) < 5 / 100


def test_when_all_failed_anything_is_possible() -> None:
    assert upper_bound(3, 3) == 1.0


def test_the_95th_percentile_of_few_values_is_the_worst_one() -> None:
    assert median_and_p95([3.0, 1.0, 2.0]) == (2.0, 3.0)


def test_the_95th_percentile_of_many_values_leaves_a_twentieth_above() -> None:
    assert median_and_p95(list(range(1, 101))) == (50.5, 95)

"""What few numbers allow to say."""

from bench.confidence import median_and_p95


def test_the_95th_percentile_of_few_values_is_the_worst_one() -> None:
    assert median_and_p95([3.0, 1.0, 2.0]) == (2.0, 3.0)


def test_the_95th_percentile_of_many_values_leaves_a_twentieth_above() -> None:
    assert median_and_p95(list(range(1, 101))) == (50.5, 95)

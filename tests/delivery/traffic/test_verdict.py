"""Live traffic is judged healthy, unhealthy or, when it cannot be told, inconclusive."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from delivery.ports.latency import LatencyHistogram
from delivery.ports.observation import SlotCounts
from delivery.spec.environments import Watch
from delivery.traffic.verdict import SURE, VERY_SURE, Share, above_limit, burst, judge, upper_bound, worse

NONE = SlotCounts()
ORDER = {"healthy": 0, "inconclusive": 1, "unhealthy": 2}
WINDOWS = st.builds(
    lambda percent, requests: Watch(max_error_percent=percent, min_requests=requests),
    st.floats(0, 100),
    st.integers(0, 50),
)
LATENCIES = st.dictionaries(st.integers(-24, 140), st.integers(0, 300), max_size=4)
COUNTS = st.integers(0, 300).flatmap(
    lambda requests: st.builds(
        SlotCounts,
        requests=st.just(requests),
        errors=st.integers(0, requests),
        latency=st.builds(LatencyHistogram, counts=LATENCIES),
    )
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
        (counts(2, 200), counts(0, 1800), "healthy"),
        (counts(4, 200), counts(0, 1800), "inconclusive"),
        (counts(4, 200), NONE, "inconclusive"),
        (counts(5, 200), counts(0, 1800), "unhealthy"),
        (counts(5, 200), counts(45, 1800), "inconclusive"),
        (counts(5, 200), NONE, "inconclusive"),
        (counts(5, 50), counts(0, 50), "unhealthy"),
        (counts(5, 50), counts(0, 19), "unhealthy"),
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
    worse = live.model_copy(update={"errors": live.errors + 1})
    assert ORDER[verdict(worse, baseline, window)] >= ORDER[verdict(live, baseline, window)]


@given(WINDOWS, COUNTS, COUNTS)
def test_errors_of_the_release_before_never_make_it_worse(
    window: Watch, live: SlotCounts, baseline: SlotCounts
) -> None:
    assume(baseline.errors < baseline.requests)
    more = baseline.model_copy(update={"errors": baseline.errors + 1})
    assert ORDER[verdict(live, more, window)] <= ORDER[verdict(live, baseline, window)]


@given(st.integers(1, 300), COUNTS, LATENCIES, st.integers(0, 40))
def test_a_slower_release_is_never_healthier(
    requests: int, baseline: SlotCounts, latencies: dict[int, int], buckets: int
) -> None:
    window = Watch(min_requests=1, max_latency_ms=800)
    slower = {min(140, bucket + buckets): count for bucket, count in latencies.items()}
    quick, slow = (SlotCounts(requests=requests, latency=LatencyHistogram(counts=each)) for each in (latencies, slower))
    assume(len(slower) == len(latencies))
    assert ORDER[verdict(slow, baseline, window)] >= ORDER[verdict(quick, baseline, window)]


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
    told = judge(window, live, baseline)[1]
    assert str(live.requests) in told or "half of the requests took" in told or "the slowest 5 % took" in told


def test_with_no_error_allowed_one_is_too_many() -> None:
    assert verdict(counts(1, 1000), window=Watch(max_error_percent=0)) == "unhealthy"


def test_a_request_that_was_tried_again_counts_once() -> None:
    assert verdict(counts(60, 20), counts(0, 100)) == verdict(counts(20, 20), counts(0, 100)) == "unhealthy"


def answering(*times_ms: float, each: int = 10) -> SlotCounts:
    return SlotCounts(requests=each * len(times_ms), latency=LatencyHistogram.of(times_ms * each))


TENTHS = (30, 32, 35, 38, 40, 42, 45, 50, 60, 80)  # milliseconds: an ordinary service


@pytest.mark.parametrize(
    ("live", "baseline", "expected"),
    [
        (TENTHS, TENTHS, "healthy"),
        ([2 * time for time in TENTHS], TENTHS, "healthy"),
        ([5 * time for time in TENTHS], TENTHS, "unhealthy"),
        (TENTHS, [5 * time for time in TENTHS], "healthy"),
        ([*TENTHS[:9], 400], TENTHS, "unhealthy"),  # the slow tail alone
        ([*TENTHS[:9], 2000], [*TENTHS[:9], 2000], "healthy"),
        ([3] * 10, [0.9] * 10, "healthy"),  # thrice as slow, and nobody feels it
        ([45] * 10, [10] * 10, "unhealthy"),
    ],
)
def test_a_release_is_withdrawn_when_it_is_several_times_as_slow(
    live: Iterable[float], baseline: Iterable[float], expected: str
) -> None:
    assert verdict(answering(*live), answering(*baseline)) == expected


def test_how_much_slower_it_may_be_is_told_by_the_window() -> None:
    slow, before = answering(*[2 * time for time in TENTHS]), answering(*TENTHS)
    assert verdict(slow, before, Watch(max_slowdown=1.5)) == "unhealthy"
    assert verdict(answering(*[5 * time for time in TENTHS]), before, Watch(max_slowdown=6)) == "healthy"


def test_a_slow_release_is_told_with_its_times() -> None:
    reason = judge(Watch(), answering(*[500] * 10), answering(*[50] * 10))[1]
    assert reason == "half of the requests took 514 ms and longer, 52 ms with the release before"


@pytest.mark.parametrize(("live", "baseline"), [(4, 10), (10, 4), (4, 4), (10, 0)])
def test_with_few_response_times_errors_alone_are_judged(live: int, baseline: int) -> None:
    found = judge(Watch(), answering(*[500] * 10, each=live), answering(*[20] * 10, each=baseline))
    assert found == ("healthy", f"0 of {10 * live} requests failed; at most 1 % may")


def test_a_difference_that_chance_makes_is_no_slowdown() -> None:
    mostly, more = (answering(*[40] * (50 - slow), *[2000] * slow, each=1) for slow in (2, 4))
    assert verdict(more, mostly) == "healthy"


@pytest.mark.parametrize(
    ("live", "baseline", "expected"),
    [
        (TENTHS, TENTHS, "healthy"),
        ([200] * 10, TENTHS, "unhealthy"),
        ([200] * 10, [190] * 10, "inconclusive"),
        ([*[40] * 14, 200], TENTHS, "inconclusive"),
    ],
)
def test_the_slowest_requests_are_judged_against_a_limit(
    live: Iterable[float], baseline: Iterable[float], expected: str
) -> None:
    window = Watch(max_latency_ms=100, max_slowdown=100)
    assert verdict(answering(*live, each=5), answering(*baseline, each=5), window) == expected


def test_the_limit_of_response_times_needs_no_release_before() -> None:
    found = judge(Watch(max_latency_ms=100), answering(*[200] * 10), NONE)
    assert found == ("unhealthy", "100 of 100 requests took longer than 100 ms, at most 5 % may")


@pytest.mark.parametrize(
    ("live", "baseline", "expected"),
    [
        (counts(4, 4), counts(0, 50), False),
        (counts(5, 5), counts(0, 50), True),
        (counts(5, 10), counts(0, 50), True),
        (counts(5, 11), counts(0, 50), False),
        (counts(5, 5), NONE, True),
        (counts(9, 5), NONE, True),  # each tried again
        (counts(50, 50), counts(1, 50), True),
        (counts(10, 20), counts(10, 20), False),
        (counts(5, 5), counts(50, 50), False),
        (counts(0, 0), NONE, False),
    ],
)
def test_a_burst_of_failures_is_a_reason_to_stop_unless_both_slots_fail(
    live: SlotCounts, baseline: SlotCounts, expected: bool
) -> None:
    assert burst(live.requests, live.errors, baseline.requests, baseline.errors) is expected


LOOKS, WATCHES, PER_LOOK = 6000, 1000, 4.0  # ten minutes, a look each 0.1 s, 40 requests a second


def looks(share: float, baseline: bool, random: np.random.Generator) -> Iterator[tuple[int, int, int, int]]:
    """Tell requests and bad ones of both slots at the looks of one watch that could end it."""
    asked = random.poisson(PER_LOOK, (2, LOOKS)) * np.array([[1], [baseline]])
    bad = random.binomial(asked, share).cumsum(axis=1)
    asked = asked.cumsum(axis=1)
    mine, other = np.maximum(1, asked)
    spread = np.sqrt(share * (1 - share))
    above = (bad[0] / mine - share) / spread * np.sqrt(mine)
    worse = (bad[0] / mine - bad[1] / other) / spread / np.sqrt(1 / mine + 1 / other)
    # A chance of 0.0001 lies more than 3 deviations above what is expected, and further where requests are few.
    for at in np.flatnonzero((above > 0) & (np.maximum(above, worse) > 3)):
        yield asked[0, at], bad[0, at], asked[1, at], bad[1, at]


def with_errors(requests: int, bad: int) -> SlotCounts:
    return counts(int(bad), int(requests))


def with_slow_requests(requests: int, bad: int) -> SlotCounts:
    latency = LatencyHistogram(counts={40: int(requests - bad), 80: int(bad)})
    return SlotCounts(requests=int(requests), latency=latency)


@pytest.mark.parametrize(
    ("share", "baseline", "shown"),
    [
        (0.01, False, with_errors),
        pytest.param(0.01, True, with_errors, marks=pytest.mark.long),
        pytest.param(0.05, True, with_slow_requests, marks=pytest.mark.long),
    ],
    ids=["errors at the limit", "errors as before", "slow requests as before"],
)
def test_thousands_of_looks_withdraw_less_than_one_good_release_in_a_hundred(share, baseline, shown) -> None:
    random = np.random.default_rng(11)
    withdrawn = sum(
        any(
            verdict(shown(asked, bad), shown(asked_before, bad_before), level=VERY_SURE) == "unhealthy"
            for asked, bad, asked_before, bad_before in looks(share, baseline, random)
        )
        for _ in range(WATCHES)
    )
    assert withdrawn < 0.01 * WATCHES


SHARES = st.integers(1, 500_000).flatmap(lambda requests: st.tuples(st.integers(0, requests), st.just(requests)))


@given(SHARES, SHARES)
def test_the_chance_of_being_worse_is_fishers(live: tuple[int, int], baseline: tuple[int, int]) -> None:
    some, requests = live[0] + baseline[0], live[1] + baseline[1]
    expected = stats.hypergeom.sf(live[0] - 1, requests, some, live[1])
    assert worse(Share(*live), Share(*baseline)) == pytest.approx(expected, rel=1e-5, abs=1e-12)


@given(SHARES, st.floats(0.001, 0.999))
def test_the_chance_of_so_many_above_a_limit_is_the_binomials(live: tuple[int, int], limit: float) -> None:
    expected = stats.binom.sf(live[0] - 1, live[1], limit)
    assert above_limit(Share(*live), limit) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_none_failed_of_many_means_at_most_three_of_as_many() -> None:
    assert upper_bound(0, 100_000) == pytest.approx(3 / 100_000, rel=0.002)


def test_what_failed_raises_the_bound_above_the_share_itself() -> None:
    assert 1 / 100 < upper_bound(1, 100) < 5 / 100


def test_when_all_failed_anything_is_possible() -> None:
    assert upper_bound(3, 3) == 1.0


def test_a_verdict_names_the_requests_that_failed_and_what_they_were_answered():
    failed = {"POST /api/pay 503": 3, "GET /api/cart 500": 9}

    verdict, reason = judge(Watch(), SlotCounts(requests=240, errors=12, what_failed=failed), SlotCounts())

    assert verdict == "unhealthy"
    assert reason == ("12 of 240 requests failed (5.0 %), more than 1 %: GET /api/cart 500 (9), POST /api/pay 503 (3)")


def test_errors_that_another_try_hid_are_the_releases_fault_and_told_apart():
    live = SlotCounts(requests=240, errors=2, what_failed={"POST / 500": 2}, hidden=26, what_was_hidden={"GET /": 26})

    verdict, reason = judge(Watch(), live, SlotCounts(requests=240))

    assert verdict == "unhealthy"
    assert reason == (
        "28 of 266 answers were errors, 26 of them hidden from users by another try (10.5 %), more than 1 %,"
        " and worse than the release before (0 of 240): GET / hidden (26), POST / 500 (2)"
    )


def test_of_many_requests_that_failed_the_most_frequent_are_named():
    failed = {f"GET /{number} 500": number for number in range(1, 7)}

    _, reason = judge(Watch(), SlotCounts(requests=50, errors=21, what_failed=failed), SlotCounts())

    assert reason.endswith(": GET /6 500 (6), GET /5 500 (5), GET /4 500 (4), others (6)")

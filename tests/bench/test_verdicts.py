"""Verdicts are compared over the same simulated watches, and what is compared is what it is called."""

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from bench.judges import CONFIDENCE, ONCE, WATCHING, shift_of
from bench.traces import INTERVALS, Scenario, simulate
from bench.verdicts import SCENARIOS, SETTINGS, Outcome, Setting, figures, measure, table, verdicts_over

FEW = 60
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
ONE_LOOK = Setting(200, 0.1)


def outcomes(scenario: str, setting: Setting) -> dict[str, Outcome]:
    return {outcome.judge: outcome for outcome in measure(BY_NAME[scenario], setting, FEW)}


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_headway_never_promotes_a_release_that_fails_every_request(setting: Setting) -> None:
    assert outcomes("all fail", setting)["headway"].withdrawn == 1


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_headway_never_promotes_a_release_that_is_five_times_as_slow(setting: Setting) -> None:
    assert outcomes("five times as slow", setting)["headway"].promoted == 0


@pytest.mark.parametrize("scenario", ["0.5 % errors in both", "2 s requests in both", "outage of both"])
def test_a_fixed_threshold_withdraws_good_releases_that_headway_does_not(scenario: str) -> None:
    found = outcomes(scenario, Setting(200, 0.1, looks=INTERVALS))
    assert found["fixed threshold"].withdrawn > 0.3
    assert found["headway"].withdrawn < 0.05


def test_with_few_requests_one_error_decides_for_a_fixed_threshold() -> None:
    trace = next(
        trace
        for trace in (simulate(BY_NAME["0.5 % errors in both"], 50, 0.1, np.random.default_rng(n)) for n in range(99))
        if trace.live.errors.sum() == 1
    )
    verdicts = verdicts_over(trace, ONCE, looks=1)
    assert verdicts["fixed threshold"] == "unhealthy"
    assert verdicts["headway"] == "inconclusive"


def test_ranks_do_not_see_errors_that_most_intervals_do_not_have() -> None:
    assert outcomes("+20 % errors", Setting(50, 0.1))["ranks"].promoted > 0.9
    assert outcomes("+20 % errors", Setting(1000, 0.1))["ranks"].withdrawn > 0.9


def test_an_outage_of_both_is_not_held_against_the_release() -> None:
    found = outcomes("outage of both", ONE_LOOK)["headway"]
    assert found.inconclusive > 0.9


def test_a_watch_ends_with_the_first_look_that_finds_a_fault() -> None:
    trace = simulate(Scenario("starts badly", good=False, outage=1), 1000, 0.5, np.random.default_rng(1))
    at_the_end = verdicts_over(trace, WATCHING, looks=1)["headway"]
    assert at_the_end == "inconclusive"
    alone = Scenario("all fail", good=False, live_errors=1)
    trace = simulate(alone, 1000, 0.5, np.random.default_rng(1))
    looked_at = []
    verdicts_over(trace, {"headway": lambda look: looked_at.append(look.end) or WATCHING["headway"](look)}, INTERVALS)
    assert looked_at == [1]


def test_measuring_again_gives_the_same() -> None:
    assert outcomes("+5 % errors", ONE_LOOK) == outcomes("+5 % errors", ONE_LOOK)


def test_the_three_verdicts_add_up() -> None:
    for scenario in SCENARIOS:
        for one in outcomes(scenario.name, ONE_LOOK).values():
            assert one.promoted + one.withdrawn + one.inconclusive == pytest.approx(1)


def test_a_simulated_release_behaves_as_its_scenario_says() -> None:
    scenario = Scenario("bad", good=False, live_errors=0.3, baseline_errors=0.1, slowdown=5)
    trace = simulate(scenario, 5000, 0.25, np.random.default_rng(1))
    live, baseline = trace.live.counts(INTERVALS), trace.baseline.counts(INTERVALS)
    assert (live.requests, baseline.requests) == (live.latency.total, baseline.latency.total) == (5000, 15000)
    assert live.errors / 5000 == pytest.approx(0.3, abs=0.03)
    assert baseline.errors / 15000 == pytest.approx(0.1, abs=0.02)
    assert live.latency.quantile(0.5) == pytest.approx(5 * (baseline.latency.quantile(0.5) or 0), rel=0.11)
    assert trace.live.milliseconds.sum() / 5000 == pytest.approx(5 * trace.baseline.milliseconds.sum() / 15000, rel=0.1)


def test_an_outage_hits_both_slots_at_the_same_time() -> None:
    trace = simulate(Scenario("outage", good=True, outage=1), 6000, 0.5, np.random.default_rng(1))
    assert np.array_equal(np.flatnonzero(trace.live.errors), np.flatnonzero(trace.baseline.errors))


@pytest.mark.parametrize("ties", [False, True])
def test_the_shift_is_where_the_test_by_ranks_begins_to_doubt(ties: bool) -> None:
    random = np.random.default_rng(3)
    live, baseline = random.normal(3, 1, 60), random.normal(2, 1, 50)
    if ties:
        live, baseline = live.round(1), baseline.round(1)
    lower, estimate = shift_of(live, baseline)
    limit = norm.ppf((1 + CONFIDENCE) / 2)
    assert deviations(live - lower + 1e-6, baseline) >= limit >= deviations(live - lower - 1e-6, baseline)
    assert 0 < lower < estimate < 2


def deviations(live, baseline) -> float:
    """Return how far the rank sum of `live` lies above what is expected, as R and Kayenta compute it."""
    m, n = live.size, baseline.size
    ranks = rankdata(np.concatenate([live, baseline]))
    above = ranks[:m].sum() - m * (m + 1) / 2 - m * n / 2
    tied = np.unique(ranks, return_counts=True)[1]
    sigma = np.sqrt(m * n / 12 * (m + n + 1 - (tied**3 - tied).sum() / ((m + n) * (m + n - 1))))
    return (above - 0.5 * np.sign(above)) / sigma


def test_what_could_not_be_told_is_shown_beside_what_was_wrong() -> None:
    outcome = Outcome("a", True, ONE_LOOK, "headway", promoted=0.6, withdrawn=0.1, inconclusive=0.3)
    assert figures(outcome) == "10.0 % (30.0 % ?)"
    assert table(ONE_LOOK, []).row_count == len(SCENARIOS)

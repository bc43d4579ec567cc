"""Some of what `python -m bench.chaos` does by the hundred: whoever dies, everything is whole again."""

import time

import pytest

from bench.chaos_check import living_daemons, look_at
from bench.chaos_kill import Change
from bench.chaos_plan import Kill, Moment, Victim
from bench.chaos_platform import chaos_platform
from bench.chaos_run import Chaos
from bench.chaos_watch import leases_watched, traffic_on
from bench.chaos_zombie import wake_a_zombie
from tests.end_to_end.project import ENDS_SECONDS, HANGS_SECONDS

pytestmark = [
    pytest.mark.long,
    pytest.mark.docker,
    pytest.mark.xdist_group("chaos"),
    pytest.mark.timeout(HANGS_SECONDS),
]
PLACES = 3


@pytest.fixture(scope="module")
def chaos():
    with chaos_platform(PLACES) as platform, traffic_on([town.port for town in platform.towns]) as traffic:
        with leases_watched(platform) as leases:
            yield Chaos(platform, traffic, leases)


def assert_whole(result):
    """Assert all that has to be true after any death."""
    assert not result.missed
    assert result.has_converged, f"{result}\n{result.evidence}"
    assert (result.is_mixed, result.leaks, result.stuck_lease) == (False, [], False)
    assert result.requests > sum(result.failures.values())


def test_a_killed_flow_and_a_killed_recovery_leave_no_place_half_changed(chaos) -> None:
    flows = [Kill(Victim.FLOW, Moment("stage", "intent")), Kill(Victim.FLOW, Moment("retire", "intent"))]
    recovery = Kill(Victim.RECOVERY, Moment("shift", "done", 2), Moment("withdraw", "intent"))

    results = chaos.round([*flows, recovery])

    for result in results:
        assert_whole(result)
        assert result.failures == {}
    assert [result.run_ended for result in results[:2]] == ["Crashed", "Crashed"]
    assert len(results[-1].lag_ms) == 2  # the run that changed the place, and then the one that put it right


def test_what_everybody_uses_is_started_again(chaos) -> None:
    worker, server = Kill(Victim.WORKER, Moment("stage", "done")), Kill(Victim.SERVER, Moment("shift", "intent", 2))
    router = Kill(Victim.ROUTER, Moment("shift", "done", 2))

    results = chaos.round([worker, server, router])

    for result in results:
        assert_whole(result)
        assert set(result.failing) <= {results[-1].place}
    assert living_daemons(chaos.platform) == {"server", "worker", "keeper"}


def test_a_sleeper_is_refused_by_the_fence(chaos) -> None:
    awakening = wake_a_zombie(chaos.platform, chaos.platform.towns[0], expire=True)

    assert "this change holds lease" in awakening.refusal
    assert awakening.nothing_changed
    assert awakening.run_ended == "Rejected"


def test_a_newer_change_takes_the_place_of_the_first_by_policy(chaos) -> None:
    slow = {"steps": [{"percent": 10, "hold_seconds": 120}, {"percent": 100}]}
    (town,) = chaos.platform.settle(1, busy="supersede", shift=slow)
    first = Change(chaos.platform, town)
    first.begin()
    first.wait(Moment("shift", "done"), first.before, 0)

    second = chaos.platform.start_change(town, town.releases[1])
    until(lambda: chaos.platform.run_state(first.run)[0] == "FAILED")
    until(lambda: first.lease()["holder"] == second)
    chaos.platform.cancel(second)
    until(lambda: look_at(chaos.platform, town, second).is_whole)

    _, name, message = chaos.platform.run_state(first.run)
    assert name == "Rejected"
    assert message.startswith("superseded by ")
    assert f"(run {second[:8]})" in message
    assert first.live_fingerprint() == town.releases[0].fingerprint


def until(condition) -> None:
    deadline = time.monotonic() + ENDS_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)

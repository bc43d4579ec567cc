"""What every target promises: one class, inherited by the tests of each target."""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import pytest

from delivery.errors import Misconfigured, Rejected, ReleaseUnhealthy
from delivery.ports.logs import LogWish
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.target import Target
from delivery.releases.release import Release
from delivery.spec.app import App
from delivery.spec.environments import Watch

# How quick answers are is asserted nowhere here: on a busy machine they take four times as long at any moment.
WATCH = Watch(min_requests=20, max_error_percent=1, interval_seconds=0.1, max_slowdown=1000)


def several(app: App) -> App:
    """The same with three instances of its service."""
    return with_settings(app, instances=3, start_seconds=60)


def patiently(app: App) -> App:
    """The same, and its service may take as long to come up as no test has."""
    return with_settings(app, start_seconds=900)


def with_settings(app: App, **settings: object) -> App:
    return app.model_copy(update={"services": {"web": app.services["web"].model_copy(update=settings)}})


@dataclass
class Live:
    """A place where `first` was settled and takes all traffic; what a test stages beside it is withdrawn afterwards."""

    settings: EnvironmentSettings
    first: Release
    target: Callable[[int], Target]


class TargetContract:
    """A subclass brings `app`, `release(number, **behaviour)`, `target(sequence)` of a new place, and `live`.

    Each call of `target` opens another one. `serve_something_else` is how a release that is live goes astray there,
    `what_instances_may_use` where the limits of what runs are read. `STEPS` are shares that the place can give.
    """

    STEPS: tuple[int, ...] = (10, 50, 100)

    def serve_something_else(self, live: Live, release: Release) -> None:
        """From now on the instances of `release` serve another version."""
        raise NotImplementedError

    def what_instances_may_use(self, live: Live, release: Release) -> list[tuple[float | None, int | None]]:
        """Return cores and bytes of memory that each instance of `release` may use, as the place itself tells."""
        raise NotImplementedError

    def live_beside(self, count: int) -> int:
        """Return of how many instances a release of one is, once one of `count` is staged beside it."""
        return 1

    def put_live(self, app, target, release, sequence=1):
        target(sequence).stage(app, release)
        target(sequence).shift(release, 100)
        return target(sequence).retire(release)

    def test_nothing_is_live_before_the_first_release(self, target):
        state = target(1).observe()

        assert state.live is None
        assert state.sequence == 0

    def test_the_first_release_takes_all_traffic_whatever_is_asked(self, app, target, release):
        first = release(1)
        target(1).stage(app, first)

        state = target(1).shift(first, 10)

        assert state.live.release == first
        assert state.live.weight == 100
        assert state.live.healthy

    def test_a_staged_release_gets_no_traffic(self, app, live, release):
        first, second = live.first, release(2)

        slot = live.target(2).stage(app, second)

        assert slot.release == second
        assert slot.weight == 0
        assert slot.healthy
        assert live.target(2).observe().live.release == first

    def test_a_staged_release_can_be_asked_before_it_has_traffic(self, app, live, release):
        first, second = live.first, release(2)
        live.target(2).stage(app, second)

        [user], [alone], [before] = [live.target(2).ask("/", asked) for asked in (None, second, first)]

        assert (user.status, alone.status, before.status) == (200, 200, 200)
        assert user.body == before.body != alone.body
        assert live.target(2).observe().slot_of(second).weight == 0
        assert live.target(2).address(second) not in (live.target(2).address(), live.target(2).address(first))

    def test_the_logs_of_a_service_are_those_of_the_slot_that_is_live(self, app, live, release):
        second = release(2)
        slot = live.target(2).stage(app, second)

        live_lines = list(live.target(2).logs(LogWish(part="web")))
        staged = list(live.target(2).logs(LogWish(part="web", slot=slot.colour)))

        assert {line.source for line in live_lines + staged} == {"web-1"}
        live_said, staged_said = (
            {line.text for line in lines if "serving" in line.text} for lines in (live_lines, staged)
        )
        assert len(live_said) == len(staged_said) == 1
        assert live_said != staged_said
        assert list(live.target(2).logs(LogWish(part="web", tail=0))) == []

    def test_logs_of_what_is_not_there_are_told_with_what_is(self, app, live):
        with pytest.raises(Misconfigured, match=r"logs of wbe: nothing of it runs in .*; allowed: .*web"):
            list(live.target(2).logs(LogWish(part="wbe")))

    def test_with_all_traffic_a_release_answers_users_and_who_asks_it_alone(self, app, live, release):
        second = release(2)
        live.target(2).stage(app, second)
        live.target(2).shift(second, 100)

        assert [one.body for one in live.target(2).ask("/")] == [one.body for one in live.target(2).ask("/", second)]

    def test_traffic_moves_in_steps(self, app, live, release):
        first, second = live.first, release(2)
        live.target(2).stage(app, second)

        shares = [live.target(2).shift(second, percent).slot_of(second).weight for percent in self.STEPS]

        assert shares == list(self.STEPS)
        assert live.target(2).observe().slot_of(first).weight == 0

    def test_a_retired_release_is_gone(self, app, target, release):
        first, second = release(1), release(2)
        self.put_live(app, target, first)

        state = self.put_live(app, target, second, 2)

        assert state.live.release == second
        assert state.slot_of(first) is None
        assert state.sequence == 2

    def keep(self, app, target, release, sequence):
        """Put `release` live and keep what it replaced."""
        target(sequence).stage(app, release)
        target(sequence).shift(release, 100)
        return target(sequence).settle(release)

    def test_what_a_settled_release_replaced_stands_ready_without_traffic(self, app, target, release):
        first, second = release(1), release(2)
        self.put_live(app, target, first)

        states = [self.keep(app, target, second, 2), target(2).settle(second)]

        assert states[0] == states[1] == target(2).observe()
        assert states[0].live.release == second
        assert (states[0].live.weight, states[0].kept.release, states[0].kept.healthy) == (100, first, True)
        assert states[0].settled_at is not None

    def test_a_kept_release_comes_back_as_it_stands(self, app, target, release):
        first, second = release(1), release(2)
        self.put_live(app, target, first)
        kept = self.keep(app, target, second, 2).kept

        staged = target(3).stage(app, first)
        state = target(3).shift(first, 100)

        assert staged == kept
        assert state.live.release == first
        assert target(3).withdraw(first).live.release == second

    def test_what_is_kept_is_retired_or_makes_room_for_the_next(self, app, target, release):
        first, second, third = release(1), release(2), release(3)
        self.put_live(app, target, first)
        self.keep(app, target, second, 2)

        replaced = self.keep(app, target, third, 3)
        retired = target(4).retire(third)

        assert replaced.kept.release == second
        assert retired.kept is None
        assert retired.settled_at == replaced.settled_at

    def test_a_withdrawn_release_leaves_everything_as_it_was(self, app, live, release):
        second = release(2)
        before = live.target(2).observe()
        live.target(2).stage(app, second)
        live.target(2).shift(second, self.STEPS[-2:][0])

        state = live.target(2).withdraw(second)

        assert state.slots == before.slots

    def test_the_first_release_can_be_withdrawn_too(self, app, target, release):
        first = release(1)
        target(1).stage(app, first)
        target(1).shift(first, 100)

        state = target(1).withdraw(first)

        assert state.live is None
        assert all(slot.release is None for slot in state.slots)

    def test_what_passed_every_watch_cannot_be_withdrawn(self, app, live, release):
        first = live.first

        state = live.target(2).withdraw(first)

        assert state.live.release == first
        assert state.live.weight == 100

    def test_a_removed_environment_has_nothing_and_may_be_released_into_again(self, app, target, release):
        self.put_live(app, target, release(1))
        target(2).stage(app, release(2))
        before = target(2).belongings()

        removed = target(3).remove()

        assert len(before) >= 2
        assert set(before) == set(removed)
        assert target(3).belongings() == target(3).remove() == ()
        assert target(3).observe().live is None
        assert self.put_live(app, target, release(1), 4).live.release == release(1)

    def test_a_lease_that_is_over_removes_nothing(self, app, target, release):
        self.put_live(app, target, release(1), 5)

        with pytest.raises(Rejected):
            target(4).remove()

        assert target(5).observe().live.release == release(1)

    def test_every_verb_may_be_called_twice(self, app, target, release):
        first, second = release(1), release(2)
        self.put_live(app, target, first)

        staged = [target(2).stage(app, second) for _ in range(2)]
        shifted = [target(2).shift(second, 100) for _ in range(2)]
        retired = [target(2).retire(second) for _ in range(2)]
        withdrawn = [target(2).withdraw(first) for _ in range(2)]

        assert staged[0] == staged[1]
        assert shifted[0] == shifted[1]
        assert retired[0] == retired[1] == withdrawn[0] == withdrawn[1]

    def test_the_live_release_released_again_stays_live(self, app, live, release):
        first = live.first

        state = self.put_live(app, live.target, first, 2)

        assert state.live.release == first
        assert state.live.weight == 100

    def test_a_lease_that_is_claimed_refuses_older_ones_also_before_the_first_release(self, app, target, release):
        target(3).claim()

        with pytest.raises(Rejected, match="lease 3"):
            target(2).claim()
        with pytest.raises(Rejected, match="lease 3"):
            target(2).stage(app, release(1))
        assert target(3).observe().live is None

    def test_a_lease_that_is_over_changes_nothing(self, app, target, release):
        first, second = release(1), release(2)
        self.put_live(app, target, first, 5)
        late = target(4)

        for verb in (
            lambda: late.stage(app, second),
            lambda: late.shift(first, 50),
            lambda: late.withdraw(first),
            lambda: late.settle(first),
            lambda: late.retire(first),
        ):
            with pytest.raises(Rejected, match="lease 5 already"):
                verb()

        assert late.observe().live.release == first
        assert late.observe().slot_of(second) is None

    def test_a_lease_that_is_over_is_told_so_also_when_its_release_is_gone(self, app, live, release):
        second, late = release(2), live.target(2)
        late.stage(app, second)
        live.target(3).withdraw(second)

        for verb in (
            lambda: late.shift(second, 50),
            lambda: late.guard(second),
            lambda: late.watch(second, WATCH, 0),
            lambda: late.confirm(second),
            lambda: late.settle(second),
            lambda: late.retire(second),
        ):
            with pytest.raises(Rejected, match=r"lease \d+ already"):
                verb()

    def test_a_sick_release_never_gets_traffic(self, app, live, release):
        first, sick = live.first, release(2, never_healthy=True)
        before = live.target(2).observe()

        with pytest.raises(ReleaseUnhealthy):
            live.target(2).stage(app, sick)

        assert live.target(2).observe().live.release == first
        assert live.target(2).withdraw(sick).slots == before.slots

    def test_a_release_that_serves_another_version_is_found_out(self, app, live, release):
        first, liar = live.first, release(2, lies=True)

        with pytest.raises(ReleaseUnhealthy, match=r"serves"):
            self.put_live(app, live.target, liar, 2)

        assert live.target(2).withdraw(liar).live.release == first

    def test_a_release_that_serves_itself_everywhere_is_confirmed(self, app, live, release):
        second = release(2)
        live.target(2).stage(app, second)
        live.target(2).shift(second, 100)

        for _ in range(2):
            live.target(2).confirm(second)

        assert (live.target(2).observe().live.release, live.target(2).observe().live.weight) == (second, 100)
        assert live.target(2).fallback is None

    def test_a_release_that_went_astray_is_not_confirmed_and_loses_its_traffic(self, app, live, release):
        first, second, host = live.first, release(2), live.target(2)
        host.stage(app, second)
        host.guard(second)
        host.shift(second, 100)
        self.serve_something_else(live, second)

        with pytest.raises(ReleaseUnhealthy, match=r"serves"):
            host.confirm(second)

        assert "serves" in host.fallback.reason
        assert (live.target(2).observe().live.release, live.target(2).observe().live.weight) == (first, 100)

    def test_a_release_without_all_traffic_is_not_confirmed(self, app, live, release):
        first, second = live.first, release(2)
        live.target(2).stage(app, second)

        with pytest.raises(ReleaseUnhealthy):
            live.target(2).confirm(second)

        assert live.target(2).observe().live.release == first

    def test_a_stage_that_is_given_up_does_not_wait_for_health(self, app, live, release):
        silent, host, told = release(2, silent=True), live.target(2), []
        before = host.observe().slots
        patient = patiently(app)

        def stage():
            try:
                host.stage(patient, silent)
            except (Rejected, ReleaseUnhealthy) as error:
                told.append(error)

        staging = threading.Thread(target=stage)
        staging.start()
        while staging.is_alive() and not live.target(2).observe().slot_of(silent):
            continue  # each look takes its time

        host.give_up()

        staging.join(60)
        assert [type(error) for error in told] == [Rejected]
        assert "given up" in str(told[0])
        assert host.withdraw(silent).slots == before
        assert host.stage(patient, release(3)).healthy

    def test_each_instance_of_a_service_is_asked(self, app, live, release):
        second = release(2)
        slot = live.target(2).stage(several(app), second)

        each = live.target(2).ask("/", second, "web")

        assert len(slot.instances) == len(each) == 3
        assert {answer.status for answer in each} == {200}
        assert {answer.body for answer in each} == {answer.body for answer in live.target(2).ask("/", second)}
        assert [one.status for one in live.target(2).ask("/", live.first, "web")] == [200] * self.live_beside(3)

    def test_each_instance_of_a_service_may_use_what_is_said_and_without_a_word_all_there_is(self, app, live, release):
        limited = with_settings(app, instances=2, cpus=0.5, memory="64m", start_seconds=60)

        assert live.target(2).stage(limited, release(2)).healthy

        assert self.what_instances_may_use(live, release(2)) == [(0.5, 64 * 1024**2)] * 2
        assert self.what_instances_may_use(live, live.first) == [(None, None)] * self.live_beside(2)

    def test_a_change_goes_on_with_a_target_that_is_opened_in_the_middle_of_it(self, app, live, release):
        first, second = live.first, release(2)
        with closing(live.target(2)) as begun:
            staged = begun.stage(app, second)
            begun.guard(second)
            begun.shift(second, self.STEPS[0])

        with closing(live.target(2)) as another:
            assert another.observe().slot_of(second) == staged.model_copy(update={"weight": self.STEPS[0]})
            assert another.stage(app, second).instances == staged.instances
            another.guard(second)
            another.shift(second, 100)
        with closing(live.target(2)) as last:
            assert last.watch(second, WATCH, 0.5).verdict == "healthy"
            last.confirm(second)

        with closing(live.target(2)) as later:
            assert later.observe().slot_of(second).weight == 100
            assert later.withdraw(second).live.release == first

    def test_good_traffic_is_healthy(self, app, live, release):
        first = live.first

        seen = live.target(2).watch(first, WATCH, 0.5)

        assert seen.verdict == "healthy"
        assert seen.live.requests >= 20
        assert seen.live.errors == 0
        assert seen.samples

    def test_traffic_goes_back_by_itself_when_a_release_fails(self, app, live, release):
        first, failing = live.first, release(2, fails_when_live=True)
        live.target(2).stage(app, failing)

        with pytest.raises(ReleaseUnhealthy, match=r"requests failed|router finds|answers 503"):
            self.shift_and_watch(live.target(2), failing)

        assert live.target(2).observe().live.release == first
        assert live.target(2).observe().slot_of(failing).weight == 0

    def shift_and_watch(self, host, release):
        """As a delivery does it: under guard from before the first request."""
        with closing(host):
            host.guard(release)
            host.shift(release, 100)
            seen = host.watch(release, WATCH, 5)
        assert host.fallback.traffic_back >= host.fallback.first_sign
        raise ReleaseUnhealthy(seen.reason if seen.verdict == "unhealthy" else "it was not found out")

"""DORA's figures equal a hand count of a history that is written out here, day by day."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from delivery.changes.archive import Happening, HistoryEntry
from delivery.changes.journal import Entry, Journal, Verb
from delivery.memory.store import MemoryStore
from delivery.releases.release import Release
from delivery.report.dora import Deployment, Figures, Told, deployments_of, figures_of
from tests.delivery.values import make_release

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
WEEKS = FIRST + timedelta(days=28)
MINUTE = timedelta(minutes=1)


def on(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of March."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def release(number: int, committed: datetime) -> Release:
    made = make_release(number)
    return made.model_copy(update={"revision": made.revision.model_copy(update={"committed": committed})})


class Written:
    """What one environment's runs wrote down, in the order in which they did."""

    def __init__(self) -> None:
        self.history: list[HistoryEntry] = []
        self.journal = Journal(MemoryStore(), "shop", "production")
        self.sequence = 0
        self.rollbacks: set[str] = set()

    def change(
        self, ended: datetime, happening: Happening, what: Release, *, shifted: timedelta | None = 10 * MINUTE
    ) -> None:
        """A change that sent its first users to `what` so long before it ended; none: it never did."""
        self.sequence += 1
        run = f"run-{self.sequence}"
        verbs: Sequence[tuple[Verb, timedelta]] = [("stage", 20 * MINUTE)]
        verbs = [*verbs, *([("shift", shifted)] if shifted else [])]
        for verb, before in verbs:
            fields = {"app": "shop", "environment": "production", "sequence": self.sequence, "run": run, "verb": verb}
            entry = {"at": ended - before, "stage": "intent", "release": what}
            self.journal.write(Entry.model_validate(fields | entry))
        self.history.append(HistoryEntry(at=ended, run=run, happening=happening, release=what))

    def contract(self, at: datetime, what: Release) -> None:
        self.history.append(HistoryEntry(at=at, run="by hand", happening="contracted", release=what))

    def told(self, *bad: Release) -> Told:
        marked = {one.fingerprint for one in bad}
        return Told(self.history, self.journal.moments(), marked, self.rollbacks)

    def figures(self, *bad: Release) -> tuple[Figures, list[Deployment]]:
        return figures_of("shop", "production", self.told(*bad), since=FIRST, until=WEEKS)


@pytest.fixture
def march() -> tuple[Written, Release]:
    """Four weeks of production, from the 1st of March to the 28th, and the release that was marked bad.

    | day | what happened | deployment? | lead time | failed? | recovery | rework? |
    | --- | --- | --- | --- | --- | --- | --- |
    | 2 | A, committed at 8:00, live at 10:00 | 1 | 2 h | | | |
    | 3 | the same files again: unchanged, nothing is written | | | | | |
    | 4 | B, committed at 8:00, did not start: withdrawn before any user | no | | | | |
    | 5 | C, committed on the 4th at 12:00, live at 12:00 | 2 | 24 h | yes | 2 h 10 min | |
    |   | … users came at 11:50; rolled back to A at 14:00 | rollback 1 | | | | yes |
    | 6 | D, committed at 9:00, live at 13:00 | 3 | 4 h | | | yes, after C |
    | 7 | contract migrations of D ran by hand | no | | | | |
    | 9 | E, users at 9:50, withdrawn at 10:00 | 4 | none | yes | 10 min | |
    | 10 | F, committed at 10:00, users at 10:50, live 11:00; marked bad | 5 | 1 h | yes | 24 h 10 min | yes, after E |
    | 11 | G, committed at 8:00, live at 11:00 | 6 | 3 h | | | yes, after F |
    | 12 | a rollback to D fails at 9:00 and is withdrawn | no | | | | |
    | 20 | H, committed on the 18th at 8:00, live at 8:00 | 7 | 48 h | | | |
    """
    written = Written()
    a, bad = release(1, on(2, 8)), release(6, on(10, 10))
    d = release(4, on(6, 9))
    written.change(on(2, 10), "released", a)
    written.change(on(4, 9), "withdrawn", release(2, on(4, 8)), shifted=None)
    written.change(on(5, 12), "released", release(3, on(4, 12)))
    written.change(on(5, 14), "rolled-back", a)
    written.change(on(6, 13), "released", d)
    written.contract(on(7, 9), d)
    written.change(on(9, 10), "withdrawn", release(5, on(9, 8)))
    written.change(on(10, 11), "released", bad)
    written.change(on(11, 11), "released", release(7, on(11, 8)))
    written.change(on(12, 9), "withdrawn", d)
    written.rollbacks.add(written.history[-1].run)
    written.change(on(20, 8), "released", release(8, on(18, 8)))
    return written, bad


def test_the_figures_are_those_counted_by_hand(march: tuple[Written, Release]) -> None:
    """Counted from the table above.

    Deployments 7 in 28 days: 0.25 a day. Lead times in order: 1, 2, 3, 4, 24, 48 h, the median (3 + 4) / 2 = 3.5 h.
    Failed: C, E and F, 3 of 7. Recoveries in order: 10 min, 2 h 10 min, 24 h 10 min, the median 2 h 10 min = 7800 s.
    Rework: one rollback and D, F, G after failed ones: 4 of 7 + 1.
    """
    written, bad = march
    figures, _ = written.figures(bad)
    assert figures == Figures(
        app="shop",
        environment="production",
        since=FIRST,
        until=WEEKS,
        deployments=7,
        rollbacks=1,
        per_day=0.25,
        lead_seconds=3.5 * 3600,
        failed=3,
        change_fail_rate=3 / 7,
        recovery_seconds=7800,
        not_recovered=0,
        rework=4,
        rework_rate=4 / 8,
    )


def test_every_deployment_is_told_with_what_became_of_it(march: tuple[Written, Release]) -> None:
    written, bad = march
    _, deployments = written.figures(bad)
    assert [(one.ended.day, one.outcome, one.is_rework) for one in deployments] == [
        (2, "good", False),
        (5, "rolled back", False),
        (6, "good", True),
        (9, "withdrawn", False),
        (10, "marked bad", True),
        (11, "good", True),
        (20, "good", False),
    ]


def test_without_a_mark_the_bad_release_was_a_good_deployment(march: tuple[Written, Release]) -> None:
    figures, _ = march[0].figures()
    assert (figures.failed, figures.rework) == (2, 3)


def test_what_was_before_or_after_the_time_asked_for_does_not_count(march: tuple[Written, Release]) -> None:
    """From the 6th to the 11th: D, E, F of which two failed; D is rework because C, which is outside, had failed."""
    written, bad = march
    figures, deployments = figures_of("shop", "production", written.told(bad), since=on(6, 0), until=on(11, 0))
    assert [one.ended.day for one in deployments] == [6, 9, 10]
    assert (figures.deployments, figures.per_day, figures.failed, figures.rework) == (3, 3 / 5, 2, 2)


def test_a_failure_that_nothing_took_away_yet_is_told_and_has_no_recovery() -> None:
    written = Written()
    bad = release(1, on(2, 8))
    written.change(on(2, 10), "released", bad)
    figures, (deployment,) = written.figures(bad)
    assert (figures.not_recovered, figures.recovery_seconds, deployment.recovered) == (1, None, None)


def test_two_steps_back_are_two_failed_deployments() -> None:
    written = Written()
    one, two, three = (release(number, on(number, 8)) for number in (1, 2, 3))
    for number, what in enumerate((one, two, three), 1):
        written.change(on(number, 10), "released", what)
    written.change(on(4, 10), "rolled-back", two)
    written.change(on(5, 10), "rolled-back", one)
    figures, deployments = written.figures()
    assert [single.outcome for single in deployments] == ["good", "rolled back", "rolled back"]
    assert (figures.rollbacks, figures.failed) == (2, 2)


def test_of_an_environment_that_nothing_went_to_no_rate_is_known() -> None:
    figures, deployments = Written().figures()
    assert deployments == []
    rates = (figures.lead_seconds, figures.change_fail_rate, figures.recovery_seconds, figures.rework_rate)
    assert (figures.per_day, rates) == (0.0, (None, None, None, None))


def test_a_withdrawal_by_recovery_under_another_lease_counts_from_its_first_users() -> None:
    written = Written()
    what = release(1, on(2, 8))
    written.change(on(2, 10), "withdrawn", what)
    written.sequence += 1
    fields = {"app": "shop", "environment": "production", "sequence": written.sequence, "run": "recovery"}
    late = {"at": on(2, 10, 30), "verb": "withdraw", "stage": "intent", "release": what}
    written.journal.write(Entry.model_validate(fields | late))
    written.history[0] = written.history[0].model_copy(update={"at": on(2, 10, 31)})
    (deployment,) = deployments_of("shop", "production", written.told())
    assert (deployment.began, deployment.recovered) == (on(2, 9, 50), on(2, 10, 31))

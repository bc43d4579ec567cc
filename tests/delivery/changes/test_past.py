"""What was live when is told with who asked for it, until when, and how it ended."""

from datetime import timedelta

from delivery.changes.archive import Happening, HistoryEntry
from delivery.changes.bad_releases import bad_now, marked
from delivery.changes.past import Who, past_of
from tests.delivery.values import NOON, make_release


def entry(hour: int, happening: Happening, number: int) -> HistoryEntry:
    at = NOON + timedelta(hours=hour)
    return HistoryEntry(at=at, run=f"run-{hour}", happening=happening, release=make_release(number))


HISTORY = [
    entry(1, "released", 1),
    entry(2, "withdrawn", 2),
    entry(3, "released", 3),
    entry(4, "rolled-back", 1),
    entry(5, "contracted", 1),
    entry(6, "removed", 1),
]


def nobody(run: str) -> Who:
    return Who()


def test_each_change_says_how_it_ended_and_until_when_it_was_live() -> None:
    one, three = (make_release(number).fingerprint for number in (1, 3))
    rows = past_of("shop", "production", HISTORY, {}, nobody, 10)
    assert [(row.at.hour - 12, row.ended, row.until.hour - 12 if row.until else None) for row in rows] == [
        (6, "the environment is gone", None),
        (5, "the schema shrank", None),
        (4, "removed with the environment", 6),
        (3, f"rolled back to {one}", 4),
        (2, "what was live before stayed", None),
        (1, f"replaced by {three}", 3),
    ]


def test_what_is_live_is_told_as_such() -> None:
    (row,) = past_of("shop", "production", HISTORY[:1], {}, nobody, 10)
    assert (row.ended, row.until) == ("is live", None)


def test_only_the_newest_are_told_and_only_their_runs_are_asked_after() -> None:
    asked: list[str] = []

    def who(run: str) -> Who:
        asked.append(run)
        return Who(requested_by="ada", let_in_by="grace")

    rows = past_of("shop", "production", HISTORY[:4], {}, who, 2)
    assert [row.run for row in rows] == asked == ["run-4", "run-3"]
    assert (rows[0].requested_by, rows[0].let_in_by) == ("ada", "grace")


def test_a_bad_release_is_seen_as_long_as_it_is_marked() -> None:
    mark = marked(make_release(1), bad=True, by="ana", reason="loses orders")
    lifted = marked(make_release(1), bad=False, by="ben", reason="")
    (seen,) = past_of("shop", "production", HISTORY[:1], bad_now([mark]), nobody, 10)
    (not_any_more,) = past_of("shop", "production", HISTORY[:1], bad_now([mark, lifted]), nobody, 10)
    assert (seen.bad, not_any_more.bad) == ("loses orders", "")

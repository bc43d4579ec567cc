"""A frozen environment takes no release and a bad release goes nowhere, whoever asks and whenever it was said."""

from datetime import UTC, datetime, timedelta

import pytest

from delivery.errors import Rejected
from flows.contract import contract
from flows.marks import freeze, mark_bad, thaw
from flows.rollback import rollback
from tasks.marks import say_frozen
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def frozen(environment="production", hours=None):
    now = datetime.now(UTC)
    until = now + timedelta(hours=hours) if hours else None
    return freeze("shop", environment, by="ana", reason="holidays", until=until, now=now)


def test_a_frozen_environment_refuses_a_delivery_before_anything_is_built(platform):
    frozen()

    run = platform.deliver()

    assert run.ended[0] == "Rejected"
    assert "production of shop is frozen by ana" in run.ended[1]
    assert run.ended[1].endswith(
        ": holidays; allowed: a rollback that says so\n  next: headway thaw production --app shop"
    )
    assert platform.containers.built == []
    assert (platform.record(run.id).app, platform.record(run.id).gate) == ("shop", "freeze")


@pytest.mark.long
def test_an_environment_on_the_way_counts_as_well(platform):
    platform.describe(
        environments={"staging": {"target": MEMORY}, "production": {"target": MEMORY, "after": "staging"}}
    )
    frozen("staging")

    run = platform.deliver()

    assert "staging of shop is frozen" in run.ended[1]


def test_what_is_frozen_while_a_run_is_on_its_way_is_not_changed(platform):
    platform.put_live(1)
    live = platform.live()
    platform.containers.during["scan web"] = lambda: say_frozen(
        "shop", "production", frozen=True, by="ana", reason="incident"
    )

    run = platform.deliver()

    assert run.ended[0] == "Rejected", run.ended
    assert "incident" in run.ended[1]
    assert platform.live() == live
    assert platform.journal().entries(2) == []


@pytest.mark.long
def test_after_its_end_or_a_thaw_releases_go_in_again(platform):
    frozen()
    first = platform.deliver()
    thaw("shop", "production", by="ana", reason="")

    second = platform.deliver()

    assert (first.ended[0], second.state.is_completed()) == ("Rejected", True)


def test_a_rollback_into_a_frozen_environment_must_say_so(platform):
    platform.put_live(1)
    platform.put_live(2)
    frozen(hours=2)

    refused = platform.run(rollback, {"app": "shop"})
    went = platform.run(rollback, {"app": "shop", "although_frozen": True})

    assert refused.ended[0] == "Rejected"
    assert "next: headway rollback --although-frozen" in refused.ended[1]
    assert went.state.is_completed(), went.ended
    assert platform.live() == platform.release(1)


def test_a_bad_release_is_not_built_again(platform):
    first = platform.deliver()
    live = platform.live()
    mark_bad("shop", live.fingerprint[:6], bad=True, by="ana", reason="loses orders")
    platform.put_live(2)

    run = platform.deliver()

    assert first.state.is_completed()
    assert run.ended[0] == "Rejected"
    assert f"release {live.fingerprint}" in run.ended[1]
    assert "was marked bad by ana" in run.ended[1]
    assert f"next: deliver a revision that mends it; or headway bad {live.fingerprint} --lift" in run.ended[1]


@pytest.mark.long
def test_what_is_marked_while_a_run_is_on_its_way_does_not_go_live(platform):
    platform.put_live(1)
    bad = platform.release(2)
    mark_bad("shop", bad.fingerprint, bad=True, by="ana", reason="loses orders")

    run = platform.put_live(2)

    assert isinstance(run.error, Rejected)
    assert platform.live() == platform.release(1)


def test_a_rollback_passes_a_bad_release_over_and_refuses_it_by_name(platform):
    for number in (1, 2, 3):
        platform.put_live(number)
    bad = platform.release(2)
    marked = mark_bad("shop", bad.fingerprint, bad=True, by="ana", reason="loses orders")

    named = platform.run(rollback, {"app": "shop", "release": bad.fingerprint, "override": True})
    chosen = platform.run(rollback, {"app": "shop"})

    assert marked.live_in == ()
    assert named.ended[0] == "Rejected"
    assert "loses orders" in named.ended[1]
    assert chosen.state.is_completed(), chosen.ended
    assert platform.live() == platform.release(1)


@pytest.mark.long
def test_a_mark_that_was_taken_away_stops_nothing(platform):
    platform.put_live(1)
    platform.put_live(2)
    bad = platform.release(1).fingerprint
    mark_bad("shop", bad, bad=True, by="ana", reason="loses orders")
    mark_bad("shop", bad, bad=False, by="ben", reason="it was the database")

    run = platform.run(rollback, {"app": "shop"})

    assert run.state.is_completed(), run.ended


@pytest.mark.long
def test_who_marks_what_is_live_is_told_where(platform):
    platform.put_live(1)

    marked = mark_bad("shop", platform.release(1).fingerprint, bad=True, by="ana", reason="loses orders")

    assert marked.live_in == ("production",)


@pytest.mark.long
def test_no_migration_shrinks_the_schema_of_a_frozen_environment(platform, monkeypatch):
    platform.describe(database={"migrate": {"image": "web"}})
    platform.put_live(1)
    frozen()
    monkeypatch.setattr("flows.contract.due_contracts", lambda *_: frozenset({"0002"}))

    run = platform.run(contract, {"app": "shop", "environment": "production"})

    assert "is frozen" in str(run.error)

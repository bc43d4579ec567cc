"""Back to an earlier release, by the way it went live."""

import pytest

from delivery.errors import Transient
from flows.rollback import rollback

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def releases(platform):
    """Release 2 took the place of release 1."""
    platform.put_live(1)
    platform.put_live(2)
    return platform.release(1), platform.release(2)


def roll_back(platform, **more):
    return platform.run(rollback, {"app": "shop"} | more)


def test_the_release_before_is_live_again(platform, releases):
    run = roll_back(platform)

    record = platform.record(run.id)
    assert run.state.is_completed(), run.ended
    assert platform.live() == releases[0]
    assert platform.host().observe().slot_of(releases[1]) is None
    assert platform.happenings() == ["released", "released", "rolled-back"]
    assert (record.kind, record.outcome, record.release) == ("rollback", "delivered", releases[0])


@pytest.mark.long
def test_a_release_can_be_named_by_the_start_of_its_fingerprint(platform, releases):
    platform.put_live(3)

    roll_back(platform, release=releases[0].fingerprint[:8])

    assert platform.live() == releases[0]


def test_a_rollback_that_goes_wrong_leaves_everything_as_it_was(platform, releases):
    platform.behaviour().error_percent[releases[0].fingerprint] = 40

    run = roll_back(platform)

    assert run.ended[0] == "Withdrawn"
    assert platform.live() == releases[1]
    record = platform.record(run.id)
    assert record.outcome == "withdrawn"
    (figures,) = record.releases
    assert "requests failed" in figures.fallbacks[0].reason
    assert {"stage", "shift", "withdraw"} <= set(figures.spent_seconds)


@pytest.mark.long
def test_a_rollback_that_starts_again_goes_where_it_went(platform, releases):
    platform.behaviour().during = _fails_to("retire")
    first = roll_back(platform)
    assert first.state.is_failed()
    assert platform.live() == releases[0]
    platform.behaviour().during = lambda verb: None

    again = platform.carry_again(rollback, first.id)

    assert again.state.is_completed(), again.ended
    assert platform.live() == releases[0]


@pytest.mark.long
def test_a_rollback_that_fails_leaves_its_target_possible(platform, releases):
    first = releases[0]
    platform.behaviour().error_percent[first.fingerprint] = 40
    failed = roll_back(platform)
    platform.behaviour().error_percent.clear()

    again = roll_back(platform)

    assert failed.ended[0] == "Withdrawn"
    assert again.state.is_completed(), again.ended
    assert platform.live() == first
    assert platform.happenings() == ["released", "released", "withdrawn", "rolled-back"]


@pytest.mark.long
def test_after_a_rollback_that_failed_the_release_before_it_is_gone_back_to(platform, releases):
    platform.put_live(3)
    platform.behaviour().error_percent[releases[1].fingerprint] = 40
    roll_back(platform)

    again = roll_back(platform)

    assert again.state.is_completed(), again.ended
    assert platform.live() == releases[0]


def test_a_release_that_never_came_through_its_watch_needs_an_override(platform, releases):
    platform.behaviour().error_percent[platform.release(3).fingerprint] = 40
    platform.put_live(3)
    platform.behaviour().error_percent.clear()
    withdrawn = platform.release(3)

    refused = roll_back(platform, release=withdrawn.fingerprint)
    allowed = roll_back(platform, release=withdrawn.fingerprint, override=True)

    assert refused.ended[0] == "Misconfigured"
    assert "was withdrawn here, because it was unhealthy" in refused.ended[1]
    assert "--override" in refused.ended[1]
    assert allowed.state.is_completed(), allowed.ended
    assert platform.live() == withdrawn


@pytest.mark.long
def test_a_release_that_is_not_there_is_told_with_those_that_are(platform, releases):
    run = roll_back(platform, release="0123456789ab")

    first = releases[0]
    assert run.ended == (
        "Misconfigured",
        "rollback of production of shop: 0123456789ab is not there; allowed: "
        f"{first.fingerprint} ({first.revision.short} {first.revision.subject})",
    )
    assert platform.live() == releases[1]


def test_without_an_earlier_release_there_is_nothing_to_go_back_to(platform):
    platform.put_live(1)

    run = roll_back(platform)

    assert run.ended[0] == "Misconfigured"
    assert "there is no earlier release" in run.ended[1]
    assert platform.live() == platform.release(1)


def test_an_application_that_was_never_delivered_is_told_with_those_that_were(platform):
    platform.put_live(1)

    run = platform.run(rollback, {"app": "moon"})

    assert run.ended == (
        "Misconfigured",
        "production of moon: nothing was released there; allowed: shop (production)",
    )


def _fails_to(what):
    def during(verb):
        if verb == what:
            raise Transient("the host does not answer")

    return during

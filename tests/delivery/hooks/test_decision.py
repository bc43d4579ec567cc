"""What follows from an arrival, as headway.yaml says it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from delivery.hooks.arrival import Arrival
from delivery.hooks.decision import decide, filtered, why_no_rollback
from delivery.spec.repository import Repository

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def arrival(**more: Any) -> Arrival:
    fields = {"kind": "push", "ref": "refs/heads/main", "connection": "shop", "delivery": "1", "received": NOW}
    return Arrival.model_validate(fields | more)


def repository(**more: Any) -> Repository:
    fields = {"branches": {"main": "staging", "release/*": "production"}, "tags": {"v*": "production"}}
    return Repository.model_validate(fields | more)


@pytest.mark.parametrize(
    ("more", "environment"),
    [
        ({}, "staging"),
        ({"ref": "refs/heads/release/1"}, "production"),
        ({"ref": "refs/heads/release/1/hot"}, ""),
        ({"ref": "refs/heads/feature"}, ""),
        ({"ref": "refs/heads/v1"}, ""),
        ({"kind": "tag", "ref": "refs/tags/v1.2"}, "production"),
        ({"kind": "tag", "ref": "refs/tags/main"}, ""),
        ({"kind": "release", "ref": "refs/tags/v1.2"}, "production"),
    ],
)
def test_branches_and_tags_go_where_their_pattern_says(more: dict[str, Any], environment: str) -> None:
    verdict = decide(arrival(**more), repository())
    assert (verdict.environment, verdict.examine) == (environment, False)
    assert verdict.reason


def test_nothing_starts_itself_where_the_file_says_nothing() -> None:
    assert decide(arrival(), None).environment == ""
    assert decide(arrival(), Repository()).environment == ""


@pytest.mark.parametrize(
    ("more", "environment"),
    [
        ({}, "staging"),
        ({"action": "failure"}, ""),
        ({"subject": "Docs"}, ""),
        ({"fork": True}, ""),
        ({"ref": "refs/heads/feature"}, ""),
    ],
)
def test_where_a_workflow_comes_first_its_success_delivers_and_a_push_does_not(
    more: dict[str, Any], environment: str
) -> None:
    ours = repository(after_workflow="CI")
    ended = arrival(**({"kind": "workflow-run", "subject": "CI", "action": "success"} | more))
    assert decide(ended, ours).environment == environment
    assert decide(arrival(), ours).environment == ""


def test_a_workflow_that_the_file_does_not_name_delivers_nothing() -> None:
    ended = arrival(kind="workflow-run", subject="CI", action="success")
    assert decide(ended, repository()).environment == ""


@pytest.mark.parametrize(
    ("whose", "fork", "is_examined"),
    [("own", False, True), ("own", True, False), ("all", True, True), ("all", False, True), ("none", False, False)],
)
def test_whose_pull_requests_are_examined_stands_in_the_file(whose: str, fork: bool, is_examined: bool) -> None:
    asked = arrival(kind="pull-request", pull_request=7, fork=fork)
    verdict = decide(asked, repository(pull_requests=whose))
    assert (verdict.examine, verdict.environment) == (is_examined, "")


@pytest.mark.parametrize("kind", ["image", "object", "alarm"])
def test_nothing_is_delivered_by_what_brings_no_commit(kind: str) -> None:
    verdict = decide(arrival(kind=kind), repository())
    assert (verdict.environment, verdict.examine) == ("", False)


@pytest.mark.parametrize(
    ("keys", "changed", "reason"),
    [
        ({}, ["src/a.py"], ""),
        ({"paths": ["src/**"]}, ["docs/a.md", "src/deep/a.py"], ""),
        ({"paths": ["src/**"]}, ["docs/a.md"], "only files have changed that repository.paths leaves out: docs/a.md"),
        ({"paths_ignore": ["**/*.md"]}, ["README.md", "docs/a.md"], "repository.paths_ignore leaves out: README.md"),
        ({"paths_ignore": ["*.md"]}, ["docs/a.md"], ""),
        ({"paths_ignore": ["**"]}, None, ""),
        ({}, [], "no file has changed"),
    ],
)
def test_a_push_counts_by_the_files_that_it_changes(keys: dict[str, Any], changed: Any, reason: str) -> None:
    found = filtered(repository(**keys), changed, ".")
    assert reason in found
    assert bool(found) == bool(reason)


def test_of_an_application_in_a_folder_only_its_own_files_count() -> None:
    assert filtered(repository(), ["other/a.py", "shop2/b.py"], "shop").startswith("only files outside of shop")
    assert filtered(repository(paths=["src/**"]), ["shop/src/a.py"], "shop") == ""


def test_an_alarm_soon_after_a_release_takes_it_back() -> None:
    assert why_no_rollback(rang(minutes=5), "released", NOW) == ""


def rang(minutes: float, **more: Any) -> Arrival:
    fields = {"kind": "alarm", "action": "ALARM", "subject": "shop-5xx", "environment": "production"}
    return arrival(**(fields | {"at": NOW + timedelta(minutes=minutes)} | more))


@pytest.mark.parametrize(
    ("alarm", "happening", "held", "reason"),
    [
        (rang(5, action="OK"), "released", "", "shop-5xx is OK"),
        (rang(5, action="INSUFFICIENT_DATA"), "released", "", "shop-5xx is INSUFFICIENT_DATA"),
        (rang(5, environment=""), "released", "", "names no environment"),
        (rang(-1), "released", "", "before the release"),
        (rang(61), "released", "", "more than 60 minutes"),
        (rang(11, within_minutes=10), "released", "", "more than 10 minutes"),
        (rang(5), "rolled-back", "", "not released last"),
        (rang(5), None, "", "never"),
        (rang(5), "released", "run 7 holds it", "run 7 holds it"),
    ],
)
def test_an_alarm_that_the_release_cannot_be_the_cause_of_takes_nothing_back(
    alarm: Arrival, happening: str | None, held: str, reason: str
) -> None:
    assert reason in why_no_rollback(alarm, happening, NOW, held)

"""No infrastructure is destroyed by accident: what is lost is shown, and the environment's name is asked for."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from delivery.errors import Misconfigured, Rejected
from delivery.releases.infrastructure import InfrastructurePlan, ResourceChange
from delivery.spec.app import App
from tests.cli.conftest import Headway, Project
from tests.support.examples import check_data, examples

CHANGES = (
    ResourceChange(address="aws_db_instance.main", type="aws_db_instance", action="destroy"),
    ResourceChange(address="aws_vpc.main", type="aws_vpc", action="destroy"),
)
Carried = list[tuple[str, str]]


def plan_of(environment: str, changes: tuple[ResourceChange, ...] = CHANGES) -> InfrastructurePlan:
    now = datetime.now(UTC)
    return InfrastructurePlan(
        sha256="c0ffee" + "0" * 58,
        app="shop",
        environment=environment,
        stack="infra",
        workspace=environment,
        run="destroy",
        made_at=now,
        expires_at=now,
        changes=changes,
        protected=tuple(one.address for one in changes[:1]),
        changes_anything=bool(changes),
        destroys_all=True,
    )


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch, project: Project) -> Carried:
    """Return what was carried out; the platform is up."""
    done: Carried = []
    monkeypatch.chdir(project.folder)

    async def flow(app: App, source: str, plan: InfrastructurePlan) -> tuple[str, ...]:
        assert (Path(source) / "headway.yaml").is_file()
        done.append((app.app, plan.environment))
        return ("snapshot shop-final of the database: kept until somebody deletes it",)

    monkeypatch.setattr("cli.destroy.running", lambda: None)
    monkeypatch.setattr("flows.infrastructure.destroy", flow)
    monkeypatch.setattr("flows.infrastructure.plan_destruction", lambda app, environment, *_: plan_of(environment))
    return done


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def answer(word: str) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
        monkeypatch.setattr("typer.prompt", lambda question, **_: word)

    return answer


def test_what_is_lost_is_shown_and_another_word_destroys_nothing(
    headway: Headway, carried: Carried, types: Callable[[str], None]
) -> None:
    types("yes")
    ended = headway("destroy", "staging")

    assert (ended.code, carried) == (Rejected.exit_code, [])
    assert ended.err.splitlines() == [
        "plan c0ffee000000 of workspace staging: 2 to destroy",
        "  destroy aws_db_instance.main  (holds data)",
        "  destroy aws_vpc.main",
        "error: nothing was changed",
    ]


def test_the_environments_name_destroys_it(headway: Headway, carried: Carried, types: Callable[[str], None]) -> None:
    types("staging")
    ended = headway("destroy", "staging")

    assert (ended.code, carried) == (0, [("shop", "staging")])
    assert ended.out.splitlines() == [
        "destroyed staging of shop: 2 resources",
        "  stays: snapshot shop-final of the database: kept until somebody deletes it",
    ]


def test_production_needs_a_word_of_its_own_whatever_else_is_said(headway: Headway, carried: Carried) -> None:
    refused = headway("destroy", "production", "--yes")
    allowed = headway("destroy", "production", "--yes", "--yes-destroy-production", "--json")

    assert refused.code == Misconfigured.exit_code
    assert "next: --yes-destroy-production" in refused.err
    assert json.loads(allowed.out)["changes"][0]["address"] == "aws_db_instance.main"
    assert carried == [("shop", "production")]


def test_where_there_is_nobody_to_ask_nothing_is_destroyed(headway: Headway, carried: Carried) -> None:
    ended = headway("destroy", "staging")

    assert (ended.code, carried) == (Misconfigured.exit_code, [])
    assert "there is no terminal to ask on" in ended.err


def test_an_environment_of_which_nothing_is_there_and_one_that_is_not_known_are_told(
    headway: Headway, carried: Carried, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = headway("destroy", "stagin", "--yes")
    monkeypatch.setattr("flows.infrastructure.plan_destruction", lambda app, environment, *_: plan_of(environment, ()))
    nothing = headway("destroy", "staging", "--yes")

    assert "stagin" in unknown.err
    assert "there is nothing of staging of shop in workspace staging" in nothing.err
    assert carried == []


def test_its_example_prints_what_its_schema_says(headway: Headway, carried: Carried) -> None:
    (example,) = [one for one in examples() if one.verb == "destroy"]
    ended = headway(*example.argv)
    assert ended.code == 0
    assert check_data("destroy", ended.out)

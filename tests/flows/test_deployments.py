"""deployments.yaml: what runs where and when can be registered and started."""

import asyncio
import importlib
import inspect
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prefect import Flow
from prefect.server.schemas.schedules import IntervalSchedule

from cli.registration import with_variables
from delivery.platform.orchestrator import RESULTS_FOLDER_SETTING, RESULTS_SETTING
from flows.runs import DELIVERIES

FILE = Path(__file__).resolve().parents[2] / "deployments.yaml"
DEPLOYMENTS = yaml.safe_load(FILE.read_text())["deployments"]
ARRIVAL = {"kind": "push", "connection": "shop", "delivery": "1", "received": "2026-05-01T12:00:00Z"}
GIVEN = {"app": "shop", "arrival": ARRIVAL, "project": "file:///shop", "revision": "main"}  # by whoever starts it
NAMES = [deployment["entrypoint"] for deployment in DEPLOYMENTS]


def flow_of(entrypoint: str) -> Flow:
    module, _, name = entrypoint.partition(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=NAMES)
def test_its_flow_is_found_by_module_and_takes_its_parameters(deployment):
    flow = flow_of(deployment["entrypoint"])

    assert isinstance(flow, Flow)
    assert ".py" not in deployment["entrypoint"]
    inspect.signature(flow.fn).bind_partial(**deployment.get("parameters", {}))
    given = {name: value for name, value in GIVEN.items() if name in takes(flow)}
    flow.validate_parameters(given | deployment.get("parameters", {}))


@pytest.mark.parametrize("deployment", [d for d in DEPLOYMENTS if "schedules" in d], ids=lambda d: d["name"])
def test_what_runs_by_itself_needs_nobody_to_fill_in_parameters(deployment):
    given = deployment.get("parameters", {})
    needed = [name for name, p in takes(flow_of(deployment["entrypoint"])).items() if p.default is p.empty]

    assert set(needed) <= set(given)
    assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}


def test_what_the_command_line_starts_is_there():
    names = [f"{flow_of(d['entrypoint']).name}/{d['name']}" for d in DEPLOYMENTS]

    assert len(set(names)) == len(names)
    assert {f"{name}/local" for name in DELIVERIES} <= set(names)


def nightly(time):
    return {"interval": 86400, "anchor_date": f"2026-01-01T{time}:00+00:00", "timezone": "UTC", "slug": "nightly"}


@pytest.mark.parametrize("deployment", [d for d in DEPLOYMENTS if "schedules" in d], ids=lambda one: one["entrypoint"])
def test_the_server_finds_the_next_dates_of_a_schedule(deployment):
    """A schedule of which it finds none is an error in its log, and a flow that never runs."""
    [given] = deployment["schedules"]
    schedule = IntervalSchedule(
        interval=timedelta(seconds=given["interval"]),
        anchor_date=given.get("anchor_date", "2026-01-01T00:00:00+00:00"),
        timezone=given.get("timezone"),
    )

    first, second = asyncio.run(schedule.get_dates(2, start=datetime(2026, 5, 1, tzinfo=UTC)))

    assert second - first == timedelta(seconds=given["interval"])
    if "anchor_date" in given:
        assert first.isoformat()[11:16] == given["anchor_date"][11:16]


def test_recovery_runs_every_minute_and_backups_are_proven_every_night():
    schedules = {d["entrypoint"]: d["schedules"] for d in DEPLOYMENTS if "schedules" in d}

    assert schedules == {
        "flows.verify_backup:verify_backups": [nightly("02:30")],
        "flows.drift:drift": [nightly("03:00")],
        "flows.rescan:rescan": [nightly("03:30")],
        "flows.recover:recover": [{"interval": 60, "slug": "every-minute"}],
    }


@pytest.mark.parametrize("results", [RESULTS_SETTING, RESULTS_FOLDER_SETTING])
def test_runs_are_given_those_variables_alone_that_there_are(results):
    """Prefect takes what it finds no variable for as it stands: `{{ $NAME }}` would be the name of a block."""
    registered = yaml.safe_load(with_variables(FILE.read_text(), {"HEADWAY_HOME": "/h", results: "here"}))

    given = [deployment["work_pool"]["job_variables"]["env"] for deployment in registered["deployments"]]
    assert given == [{name: f"{{{{ ${name} }}}}" for name in ("HEADWAY_HOME", results)}] * len(DEPLOYMENTS)


def test_all_run_in_one_pool_with_the_platform_in_their_environment():
    pools = [deployment["work_pool"] for deployment in DEPLOYMENTS]

    assert {pool["name"] for pool in pools} == {"headway"}
    assert all(pool["job_variables"]["env"]["HEADWAY_HOME"] == "{{ $HEADWAY_HOME }}" for pool in pools)
    assert all("secret" not in str(deployment).lower() for deployment in DEPLOYMENTS)


def takes(flow: Flow) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(flow.fn).parameters)

"""deployments.yaml: what runs where and when can be registered and started."""

import importlib
import inspect
from pathlib import Path

import pytest
import yaml
from prefect import Flow

from cli.registration import with_variables
from delivery.platform.orchestrator import RESULTS_FOLDER_SETTING, RESULTS_SETTING
from flows.runs import DELIVERIES

FILE = Path(__file__).resolve().parents[2] / "deployments.yaml"
DEPLOYMENTS = yaml.safe_load(FILE.read_text())["deployments"]
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
    flow.validate_parameters({"app": "shop"} | deployment["parameters"] if "app" in takes(flow) else {})


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


def test_recovery_runs_every_minute_and_backups_are_proven_every_night():
    schedules = {d["entrypoint"]: d["schedules"] for d in DEPLOYMENTS if "schedules" in d}

    assert schedules == {
        "flows.verify_backup:verify_backups": [{"cron": "30 2 * * *", "timezone": "UTC", "slug": "nightly"}],
        "flows.drift:drift": [{"cron": "0 3 * * *", "timezone": "UTC", "slug": "nightly"}],
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

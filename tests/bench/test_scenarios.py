"""What the scenarios make of the example, and what is kept of them."""

import json
from dataclasses import replace

import pytest
import yaml

from bench.delivery import as_data, median, table
from bench.figures import AIMS
from bench.scenarios import SCENARIOS, read_ending, with_nonce, without_waiting
from delivery.errors import Rejected
from delivery.spec.app import App
from tests.architecture.sources import text, tracked
from tests.bench.test_figures import figures

DESCRIPTION = yaml.safe_load(text("examples/taskmanager/headway.yaml"))
DOCKERFILES = [name for name in tracked() if name.startswith("examples/taskmanager/") and name.endswith("/Dockerfile")]


def test_the_same_shape_runs_in_memory_and_waits_for_nothing() -> None:
    real, noop = App.model_validate(DESCRIPTION), App.model_validate(without_waiting(DESCRIPTION))
    for name, environment in noop.environments.items():
        assert environment.target.kind == "memory"
        assert environment.watch.seconds == 0
        assert {step.hold_seconds for step in environment.shift.steps} == {0}
        percents = [step.percent for step in real.environments[name].shift.steps]
        assert [step.percent for step in environment.shift.steps] == percents
        assert environment.acceptance == real.environments[name].acceptance
        assert environment.prove_backup == real.environments[name].prove_backup
    assert (noop.images, noop.database) == (real.images, real.database)
    assert [(name, one.shards, one.build) for name, one in noop.suites.items()] == [
        (name, one.shards, one.build) for name, one in real.suites.items()
    ]
    assert noop.app != real.app  # it shares the platform with the real one


@pytest.mark.parametrize("name", DOCKERFILES)
def test_every_stage_begins_with_a_new_layer(name: str) -> None:
    lines = with_nonce(text(name), "abc").splitlines()
    stages = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    assert stages
    assert all(lines[number + 1] == "RUN echo abc > /tmp/nonce" for number in stages)


@pytest.mark.parametrize(("set_up", "seconds"), [("4.9 s", 4.9), ("2 min 5 s", 125)])
def test_the_end_of_a_command_tells_run_and_set_up(set_up: str, seconds: float) -> None:
    run = "01a21073-c723-76de-af5f-1a10abd7e3bb"
    printed = f"run    http://h:4200/runs/flow-run/{run}\nreport    x\ntime    9 s: set-up {set_up}, delivery 4 s"
    assert read_ending(printed) == (run, seconds)


def test_a_command_that_does_not_tell_is_not_measured() -> None:
    with pytest.raises(Rejected, match="did not say which run"):
        read_ending("run http://h:4200/runs/flow-run/1")


def test_every_scenario_has_an_aim() -> None:
    assert list(SCENARIOS) == list(AIMS)


def test_the_run_in_the_middle_is_shown() -> None:
    runs = [replace(figures(), wall=wall) for wall in (30.0, 10.0, 20.0, 40.0)]
    assert median(runs).wall == 20


def test_a_row_is_shown_for_each_scenario() -> None:
    assert table([figures(), figures()]).row_count == 2


def test_what_is_kept_is_data_without_a_place() -> None:
    kept = as_data([figures()], {"cores": 2, "python": "3.11.2", "engine": "20.10"})
    assert json.loads(json.dumps(kept))["runs"][0]["scenario"] == "cold"
    assert kept["aim"] == "makespan ≤ 1.25 × bound"
    assert {"wall", "bound", "ratio", "reached", "phases", "pauses", "waits"} <= set(kept["runs"][0])
    assert "/" not in json.dumps(kept["machine"])

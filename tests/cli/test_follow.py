"""A run that is followed costs little beside the run itself."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from cli import follow
from cli.follow import pause_after
from delivery.errors import Rejected
from flows import runs
from flows.run_search import latest
from flows.runs import RunView, StepView
from tests.support.disks import fill, small_disk


@pytest.mark.parametrize(
    ("look_seconds", "is_seen", "pause_seconds"),
    [(0.05, True, 1), (0.05, False, 2), (0.3, True, 1.2), (0.7, False, 2.8), (60, True, 3), (60, False, 3)],
)
def test_a_busy_machine_is_asked_less_often(look_seconds, is_seen, pause_seconds):
    assert pause_after(look_seconds, is_seen=is_seen) == pytest.approx(pause_seconds)


def test_between_two_looks_at_all_steps_the_run_alone_is_looked_at(monkeypatch):
    states, asked = iter(["running", "running", "completed"]), []

    def look(run, *, steps):
        asked.append((run, steps))
        return RunView(id=run, name="a", state=next(states), kind="")

    slept = []
    monkeypatch.setattr(follow, "look", look)
    monkeypatch.setattr(follow, "time", SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append))

    follow._pause(RunView(id="r", name="a", state="running", kind=""), 60, status=None)

    assert (asked, slept) == ([("r", False)] * 3, [follow.POLL_SECONDS] * 3)


@pytest.mark.parametrize(
    ("state", "kind", "mark"),
    [
        ("completed", "COMPLETED", "✓"),
        ("cached", "COMPLETED", None),
        ("failed", "FAILED", "✗"),
        ("timedout", "FAILED", "✗"),
        ("crashed", "CRASHED", "✗"),
        ("cancelled", "CANCELLED", "⊘"),
        ("running", "RUNNING", None),
        ("awaitingretry", "SCHEDULED", None),
    ],
)
def test_a_step_that_failed_is_marked_as_failed_whatever_its_state_is_called(monkeypatch, state, kind, mark):
    said = []
    monkeypatch.setattr(follow, "say", lambda text, _style: said.append(text.split()[:2]))
    step = StepView(id="s", name="unit", state=state, kind=kind)

    follow._show_ended(RunView(id="r", name="a", state="Running", kind="RUNNING", steps=(step,)), set())

    assert said == ([[mark, "unit"]] if mark else [])


class Client:
    """Knows one run with so many steps, and counts what it is asked."""

    def __init__(self, steps=0):
        self.steps, self.pages = [SimpleNamespace(state=None, number=number) for number in range(steps)], 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read_task_runs(self, flow_run_filter, limit, offset):
        self.pages += 1
        return self.steps[offset : offset + limit]

    def read_flow_runs(self, **_):
        return []


@pytest.mark.parametrize(("steps", "pages"), [(0, 1), (7, 1), (200, 2), (430, 3)])
def test_every_step_is_read_and_nothing_after_the_last_page(steps, pages):
    client = Client(steps)

    assert runs._tasks(client, []) == client.steps
    assert client.pages == pages


def test_what_is_asked_within_one_connection_opens_no_other(monkeypatch):
    opened = []

    def get_client(*, sync_client):
        opened.append(Client())
        return opened[-1]

    monkeypatch.setattr(runs, "get_client", get_client)

    with runs.one_connection():
        latest(3)
        latest(3)
    assert len(opened) == 1
    latest(3)
    assert len(opened) == 2


def test_what_a_long_build_does_is_printed_once_while_it_runs(monkeypatch, capsys):
    told = [(), ("web: [2/3] RUN npm ci (20 s since it began)",)]
    views = [RunView(id="r", name="a", state="Running", kind="RUNNING", progress=lines) for lines in (*told, told[1])]
    views = iter([*views, RunView(id="r", name="a", state="Completed", kind="COMPLETED", progress=told[1])])
    monkeypatch.setattr(follow, "look", lambda *_, **__: next(views))
    monkeypatch.setattr(follow, "_pause", lambda *_: None)
    monkeypatch.setattr(follow, "one_connection", nullcontext)

    follow.follow("r", prefect=None)

    assert capsys.readouterr().out.count("… web: [2/3] RUN npm ci (20 s since it began)") == 1


def test_a_step_whose_end_is_heard_of_after_that_of_the_run_is_shown(monkeypatch, capsys):
    states = iter([("running", "RUNNING"), ("running", "RUNNING"), ("failed", "FAILED")])

    def look(run, **_):
        state, kind = next(states)
        step = StepView(id="s", name="unit", state=state, kind=kind)
        return RunView(id=run, name="a", state="Rejected", kind="FAILED", steps=(step,))

    monkeypatch.setattr(follow, "look", look)
    monkeypatch.setattr(follow, "_pause", lambda *_: None)
    monkeypatch.setattr(follow, "one_connection", nullcontext)

    follow.follow("r", prefect=None)

    assert "✗ unit" in capsys.readouterr().out


def test_a_step_that_never_ends_holds_nobody_up(monkeypatch):
    step = StepView(id="s", name="unit", state="running", kind="RUNNING")
    crashed = RunView(id="r", name="a", state="Crashed", kind="CRASHED", steps=(step,))
    monkeypatch.setattr(follow, "look", lambda *_, **__: crashed)
    monkeypatch.setattr(follow, "_pause", lambda *_: None)
    monkeypatch.setattr(follow, "one_connection", nullcontext)

    assert follow.follow("r", prefect=None) == crashed


def test_a_run_whose_end_nobody_could_write_down_is_not_followed_for_ever(monkeypatch, tmp_path):
    """Its process is dead, its disk full: the server goes on saying that it runs."""
    running = RunView(id="r", name="a", state="Running", kind="RUNNING")
    monkeypatch.setattr(follow, "_look_patiently", lambda *_, **__: running)
    monkeypatch.setattr(follow, "_pause", lambda *_: None)
    monkeypatch.setattr(follow, "one_connection", nullcontext)

    with small_disk(tmp_path / "home") as root:
        fill(root)
        monkeypatch.setenv("HEADWAY_HOME", str(root))
        with pytest.raises(Rejected) as told:
            follow.follow("r", None, quiet=True)

    assert str(told.value).startswith(f"the run ended without a word\n{root} cannot be written: the disk is full")

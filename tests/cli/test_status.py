"""Everything at a glance, also on a narrow terminal: what is live since when and from whom, and what waits."""

from datetime import UTC, datetime, timedelta

import pytest

from cli.output import console
from delivery.changes.freezes import FreezeMark
from delivery.changes.past import Who
from delivery.ports.leases import Lease
from delivery.ports.slots import InstanceState, SlotState, TargetState
from flows.overview import EnvironmentView
from flows.runs import RunView
from flows.standing import Standing
from tests.cli.conftest import Headway
from tests.delivery.values import NOON, make_release

WAITS = RunView(id="5f3a9c21-7", name="shop 1111111 → production", state="Paused", kind="PAUSED")
FROZEN = FreezeMark(at=NOON, app="shop", environment="production", by="ana", reason="sale")


def view(environment: str, **more: object) -> EnvironmentView:
    well = InstanceState(service="web", name="web-1", digest=None, healthy=True)
    slot = SlotState(colour="green", release=make_release(1), weight=100, instances=(well,))
    lease = Lease(app="shop", environment=environment, sequence=1)
    fields: dict[str, object] = {"app": "shop", "environment": environment, "lease": lease, "busy": False}
    return EnvironmentView.model_validate({**fields, "state": TargetState(slots=(slot,), url="http://shop"), **more})


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> None:
    two_hours = datetime.now(UTC) - timedelta(hours=2)
    who = Who(requested_by="ada", let_in_by="grace")
    found = Standing(
        environments=(
            view("production", since=two_hours, who=who, frozen=FROZEN),
            view("staging", state=None, problem="did not answer within 15 s"),
        ),
        waiting=(WAITS,),
        runs=(WAITS,),
    )
    monkeypatch.setattr("cli.status.running", lambda: None)
    monkeypatch.setattr("flows.overview.app_names", lambda: ["shop"])
    monkeypatch.setattr("flows.standing.standing", lambda app, count: found)


@pytest.mark.parametrize("columns", [60, 160])
def test_all_of_it_is_told_whatever_the_terminals_width(
    headway: Headway, standing: None, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr(console, "_width", columns)
    told = headway("status").out
    assert make_release(1).fingerprint in told
    assert "2 h" in told
    assert "did not answer within 15 s" in told
    assert "production of shop: asked for by ada, let in by grace" in told
    assert "production of shop is frozen by ana since 2026-03-04 12:00 UTC: sale" in told
    assert "headway approve 5f3a9c21, or headway reject 5f3a9c21" in told


def test_no_line_about_an_environment_is_wider_than_a_narrow_terminal(
    headway: Headway, standing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_width", 60)
    lines = headway("status").out.splitlines()
    assert lines[:4] == [
        "shop production: healthy",
        f"  {make_release(1).fingerprint} green 100 %",
        "  0000000 Change something",
        "  live for 2 h",
    ]

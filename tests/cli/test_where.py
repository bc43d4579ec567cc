"""Commands know the folder they are in: with two applications on a platform, nobody rolls back the other one."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from delivery.errors import Interrupted
from flows.runs import RunView
from tests.cli.conftest import FILE, Headway, Project

RUNS = [
    RunView(id="aaaa0001", name="shop 1111111 → production", state="Paused", kind="PAUSED"),
    RunView(id="bbbb0002", name="moon 2222222 → production", state="Paused", kind="PAUSED"),
]


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A platform with `names` on it, whose runs are started and answered by nobody."""
    made = SimpleNamespace(names=["moon", "shop"], started=[], answered=[], removed=[], read=[])

    def start(deployment, parameters, name, by):
        made.started.append((parameters["app"], name))
        raise Interrupted("started")

    def find_remains(app, environment):
        made.removed.append(app)
        raise Interrupted("removed")

    def read(app, environment, wish):
        made.read.append((app, environment, wish))
        return iter(())

    for verb in ("approve", "logs", "remove", "rollback", "status"):
        monkeypatch.setattr(f"cli.{verb}.running", lambda: None)
    monkeypatch.setattr("flows.overview.app_names", lambda: made.names)
    monkeypatch.setattr("flows.standing.environments", lambda app: [])
    monkeypatch.setattr("flows.standing.latest", lambda count, app=None: [r for r in RUNS if app in (None, r.app)])
    monkeypatch.setattr(
        "flows.run_search.latest", lambda count, app=None: [run for run in RUNS if app in (None, run.app)]
    )
    monkeypatch.setattr("flows.runs.answer", lambda run, *_: made.answered.append(run.id))
    monkeypatch.setattr("flows.runs.start", start)
    monkeypatch.setattr("flows.remove.find_remains", find_remains)
    monkeypatch.setattr("flows.logs.read", read)
    return made


@pytest.fixture
def moon(tmp_path: Path) -> Path:
    folder = tmp_path / "moon"
    (folder / "src").mkdir(parents=True)
    (folder / "headway.yaml").write_text(FILE.replace("app: shop", "app: moon"))
    return folder


@pytest.mark.parametrize("below", [".", "src"])
def test_a_rollback_is_of_the_application_whose_folder_it_is(
    headway: Headway, platform: SimpleNamespace, moon: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    monkeypatch.chdir(moon / below)
    headway("rollback")
    assert platform.started == [("moon", "moon rollback → production")]


def test_a_rollback_works_although_the_file_has_mistakes(
    headway: Headway, platform: SimpleNamespace, moon: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (moon / "headway.yaml").write_text("app: moon\nimages: 3\n")
    monkeypatch.chdir(moon)
    headway("rollback")
    assert platform.started == [("moon", "moon rollback → production")]


@pytest.mark.parametrize(
    ("options", "app"), [(["--app", "shop"], "shop"), (["--project", "{moon}"], "moon"), (["--app", "mars"], "mars")]
)
def test_an_application_can_be_named_from_anywhere(
    headway: Headway, platform: SimpleNamespace, project: Project, moon: Path, tmp_path, monkeypatch, options, app
) -> None:
    monkeypatch.chdir(project.folder)
    headway("rollback", *(option.format(moon=moon) for option in options))
    assert [one for one, _ in platform.started] == [app]


@pytest.mark.parametrize("arguments", [["rollback"], ["remove", "--yes"], ["logs", "web"]])
def test_outside_of_any_the_choices_are_told(
    headway: Headway, platform: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = headway(*arguments)
    assert (ended.code, platform.started, platform.removed, platform.read) == (2, [], [], [])
    assert ended.err == "error: --app: is needed here; allowed: moon, shop\n"


def test_outside_of_any_the_only_one_is_meant(
    headway: Headway, platform: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    platform.names = ["shop"]
    headway("rollback")
    headway("remove")
    headway("logs", "web")
    assert ([one for one, _ in platform.started], platform.removed) == (["shop"], ["shop"])
    assert [app for app, *_ in platform.read] == ["shop"]


def test_an_approval_is_of_the_run_of_this_application(
    headway: Headway, platform: SimpleNamespace, moon: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(moon)
    ended = headway("approve", "--by", "kim")
    assert ended.out == "approve: moon 2222222 → production, run bbbb0002, as kim\n"
    headway("reject", "--by", "kim", "--app", "shop")
    headway("approve", "aaaa", "--by", "kim")
    monkeypatch.chdir(tmp_path)
    refused = headway("approve", "--by", "kim")
    assert platform.answered == ["bbbb0002", "aaaa0001", "aaaa0001"]
    assert refused.code == 2
    assert "2 found; allowed: aaaa0001 (shop 1111111 → production, Paused), bbbb0002 (moon" in refused.err


def test_status_is_of_the_application_whose_folder_it_is(
    headway: Headway, platform: SimpleNamespace, moon: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(moon)
    here, everything = headway("status").out, headway("status", "--all").out
    monkeypatch.chdir(tmp_path)
    outside = headway("status").out
    assert "moon 2222222 → production" in here
    assert "shop 1111111" not in here
    assert all("shop 1111111 → production" in out and "moon 2222222" in out for out in (everything, outside))


def test_logs_are_printed_with_the_instance_where_there_are_several(
    headway: Headway, platform: SimpleNamespace, moon: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.logs import LogLine

    lines = [LogLine(source="web-1", text="GET / 200"), LogLine(source="web-2", text="[red]hi")]
    monkeypatch.setattr("flows.logs.read", lambda app, environment, wish: iter(lines))
    monkeypatch.chdir(moon)
    assert headway("logs", "web").out == "web-1 | GET / 200\nweb-2 | [red]hi\n"


@pytest.mark.parametrize("since", ["yesterday", "5", "-3m", "3w"])
def test_a_time_that_is_none_is_told_with_what_is(headway: Headway, platform: SimpleNamespace, since: str) -> None:
    ended = headway("logs", "web", f"--since={since}")
    assert ended.code == 2
    assert "allowed: 30s, 15m, 2h, 1d, or a moment like 2030-12-31T10:00" in ended.err


def test_logs_are_asked_for_as_wanted(
    headway: Headway, platform: SimpleNamespace, moon: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(moon)
    options = ["--tail", "5", "--since", "2030-12-31T10:00Z", "--slot", "blue", "--environment", "staging", "--follow"]
    headway("logs", "web", *options)
    ((app, environment, wish),) = platform.read
    assert (app, environment, wish.part) == ("moon", "staging", "web")
    assert (wish.tail, wish.slot, wish.follow) == (5, "blue", True)
    assert wish.since.isoformat() == "2030-12-31T10:00:00+00:00"

"""The examples of docs/examples.md, run one after the other on a platform in memory, as a user would in a terminal."""

import io
import re
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from cli.main import main
from delivery.platform.orchestrator import Orchestrator
from delivery.releases.run_names import requested_by
from flows import runs
from flows.deliver import deliver
from flows.rollback import rollback
from tests.flows.platform import MEMORY, Platform
from tests.support.examples import IN_THE_FOREGROUND, ON_A_MACHINE, ON_AWS, Example, check_data, examples

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

FLOWS = {"deliver/local": deliver, "rollback/local": rollback}
STANDS_FOR = "a1b2c3d4e5f6"
RUN = "5f3a9c21"
KEPT_AS = "app_until_1f2e3d4c"
QUICK = {"seconds": 0.1}
MASKING = "tables: {}\n"
DESCRIBED: dict[str, Any] = {
    "services": {"web": {"port": 8000, "start_seconds": 1}},
    "repository": {"url": "https://git.example/team/shop.git"},
    "database": {"migrate": {"image": "web"}},
    "environments": {
        "staging": {"target": MEMORY, "watch": QUICK, "refresh": {"from": "production", "masking": "masking.yaml"}},
        "production": {"target": MEMORY, "watch": QUICK},
    },
}
ASKED = {"production": {"target": MEMORY, "approval": {"by": "person"}}}
HERE = [one for one in examples() if one.verb not in (*ON_A_MACHINE, *IN_THE_FOREGROUND, *ON_AWS)]


class Terminal:
    """A user in the project's folder, whose runs are carried at once."""

    def __init__(self, platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
        self.platform, self.capsys = platform, capsys
        self.seen: dict[str, str] = {}

    def start(self, deployment: str, parameters: dict[str, Any], name: str, by: str = "") -> runs.RunView:
        """Create a run as the server does, and carry it as a worker does."""
        flow = FLOWS[deployment]
        with get_client(sync_client=True) as client:
            tags = [requested_by(by)]
            made = client.create_flow_run(flow, parameters=parameters, name=name, tags=tags)
        self.platform.carry(flow, str(made.id))
        return runs.look(str(made.id), steps=False)

    def run(self, example: Example) -> str:
        """Run one line and return what it printed; it ends well."""
        argv = [self.seen.get(word, word) for word in example.argv]
        sys.argv = ["headway", *argv]
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self.capsys.readouterr()
        assert ended.value.code in (0, None), f"{example.argv}: {printed.err}"
        return printed.out


@pytest.fixture
def terminal(
    platform: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Terminal]:
    made, before = Terminal(platform, capsys), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("tasks.database.RECOVER_SECONDS", 0)
    for name, answer in (("environment", {}), ("check", None), ("answers", True)):
        monkeypatch.setattr(Orchestrator, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr("cli.run.bring_up", lambda quiet: Orchestrator(platform.home))
    monkeypatch.setattr("flows.runs.start", made.start)
    monkeypatch.setattr("cli.hooks.restart_receiver", lambda _: None)
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setenv("COLUMNS", "200")
    (platform.project / "masking.yaml").write_text(MASKING)
    (platform.project / "token.txt").write_text("canary-77-of-an-example\n")
    platform.describe(**DESCRIBED)
    (platform.project / "new-shop").mkdir()
    (platform.project / "new-shop" / "Dockerfile").write_text("FROM scratch\nEXPOSE 8000\n")
    (platform.project / ".git" / "info" / "exclude").write_text("new-shop\nfigures.svg\njunit\n")
    monkeypatch.chdir(platform.project)
    delivered = platform.deliver(environment="staging")
    assert delivered.state.is_completed()
    platform.archive.store.put(f"runs/{delivered.id}/cells/unit/junit/report.xml", b"<testsuites/>")
    platform.put_live(1)
    platform.put_live(2)
    made.seen = {STANDS_FOR: platform.release(1).fingerprint, RUN: delivered.id[:8]}
    yield made
    signal.signal(signal.SIGTERM, before)


def answered(terminal: Terminal, example: Example) -> str:
    """Deliver to where somebody is asked, and answer with the example while the run waits."""
    printed: list[str] = []
    terminal.platform.describe(environments=ASKED)
    terminal.platform.commit(f"Something to {example.verb}")
    terminal.platform.deliver_while(lambda run: printed.append(terminal.run(example)))
    terminal.platform.describe(**DESCRIBED)
    return printed[0]


def used(terminal: Terminal, example: Example) -> str:
    """Put a database behind the application; what the one before is called only its output tells."""
    printed = terminal.run(example)
    terminal.seen[KEPT_AS] = re.findall(r"kept as (\S+)", printed)[0]
    return printed


ANSWERED: dict[str, Callable[[Terminal, Example], str]] = {
    "approve": answered,
    "reject": answered,
    "database use": used,
}


@pytest.mark.parametrize(
    "sections",
    [("A first file", "Look"), pytest.param(tuple(dict.fromkeys(one.section for one in HERE)), marks=pytest.mark.long)],
    ids=["some", "all"],
)
def test_every_example_runs_and_prints_what_its_schema_says(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, sections: tuple[str, ...]
) -> None:
    told: dict[str, list[Any]] = {}
    for example in (one for one in HERE if one.section in sections):
        if example.stdin:
            monkeypatch.setattr(sys, "stdin", io.StringIO((terminal.platform.project / example.stdin).read_text()))
        printed = ANSWERED.get(example.verb, Terminal.run)(terminal, example)
        data = check_data(example.verb, printed) if example.prints_data else printed
        told.setdefault(example.verb, []).append(data)

    live = {view["environment"]: view["state"]["slots"] for view in told["status"][1]["environments"]}
    assert set(live) == {"staging", "production"}
    assert told["diff"][1]["old"]["release"] == terminal.seen[STANDS_FOR]
    assert told["figures"][1][0]["figures"]["deployments"] >= 2
    assert (terminal.platform.project / "figures.svg").read_text().startswith("<svg")

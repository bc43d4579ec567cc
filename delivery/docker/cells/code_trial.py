"""A version of the code on a database: its services are started beside it, asked by a suite, and removed again."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docker.errors import APIError
from docker.models.containers import Container
from pydantic import SecretStr

from delivery.changes.ledger import LABEL_ROLE, LABEL_SANDBOX
from delivery.docker.cells.cell_parts import Surroundings, addresses, made_for, needed_parts, run_suite, start_part
from delivery.docker.engine.logs import save_log
from delivery.docker.sandbox.probe import start_probe
from delivery.docker.sandbox.sandbox import STOPPED, Sandbox
from delivery.errors import Misconfigured, Rejected
from delivery.ports.database import DatabaseAccess, standard_variables
from delivery.spec.app import App
from delivery.spec.matrix import Cell, cells_of
from delivery.spec.suites import Suite
from delivery.testing.cell_run import CellRun
from delivery.testing.telling_lines import in_one_line, telling_line
from delivery.waiting import until

PROBE = "probe"
LOG_LINES = 15
SETTLES_SECONDS = 2.0  # services without a health path are up as soon as they run
START = "rehearsal-start"  # what a cell is called that asks no suite: the services start and answer


@dataclass(frozen=True)
class CodeTrial:
    """Tries code on the database of a sandbox; the containers `stays` and the volumes `keeps` are there before it."""

    sandbox: Sandbox
    access: DatabaseAccess
    stays: frozenset[str]
    keeps: frozenset[str]

    def problem(self, run: CellRun) -> str:
        """Start what the suite needs, run it, remove all of that; return what failed, empty when nothing did."""
        parts = needed_parts(run.app, run.suite)
        try:
            for name in parts:
                start_part(self.sandbox, run, name, self.probe(), self.access)
            if run.cell.suite == START:
                return self._stopped(run, parts)
            around = Surroundings({**addresses(run, parts), **standard_variables(self.access)}, self.access.facts())
            ended = run_suite(self.sandbox, run, around)
            told = ", ".join(ended.failing[:3]) or telling_line(ended.last_lines)
            said = "; ".join(filter(None, (ended.problem, told)))
            return "" if ended.outcome == "passed" else f"{run.cell.suite} {ended.outcome}: {in_one_line(said)}"
        except (Rejected, Misconfigured) as error:
            return in_one_line(run.hide.text(str(error).replace(f"{self.sandbox.name}-", "")))
        finally:
            self.remove_parts(run)

    def probe(self) -> Container:
        """Return the container that asks the others, which stays."""
        return self.sandbox.parts.get(PROBE) or start_probe(self.sandbox)

    def remove_parts(self, run: CellRun | None = None) -> None:
        """Remove all containers but those that stay, and the folders they kept."""
        for role in [role for role in self.sandbox.parts if role not in (*self.stays, PROBE)]:
            container = self.sandbox.parts.pop(role)
            with contextlib.suppress(APIError):
                if run and role != "suite":
                    save_log(container, run.log_of(role), run.hide)
            container.remove(force=True, v=True)
        for name in _volumes(self.sandbox) - self.keeps:
            self.sandbox.client.volumes.get(name).remove(force=True)

    def _stopped(self, run: CellRun, parts: list[str]) -> str:
        """Return which service stopped soon after all had started, with its last word; empty when none did."""
        services = [name for name in parts if name in run.app.services]

        def stopped() -> str:
            for name in services:
                container = self.sandbox.parts[name]
                container.reload()
                if container.status in STOPPED:
                    said = telling_line(container.logs(tail=LOG_LINES).decode(errors="replace"))
                    return f"{name} stopped with exit code {container.attrs['State']['ExitCode']}: {said}"
            return ""

        return until(stopped, seconds=SETTLES_SECONDS, every=0.2) or ""


def trial_on(sandbox: Sandbox, access: DatabaseAccess) -> CodeTrial:
    """Return what tries code on the database that is in a sandbox now."""
    return CodeTrial(sandbox, access, frozenset(sandbox.parts), frozenset(_volumes(sandbox)))


def trial_run(
    app: App, name: str, images: Mapping[str, str], run: str, log: Path, secrets: Mapping[str, SecretStr]
) -> CellRun:
    """Return the run of a suite, or of no suite but the start of all services, which is called START.

    What the application's parts need of secrets is made up, but for what the suite has.
    """
    suite = Suite(image=START, services=tuple(app.services), database=True) if name == START else app.suites[name]
    app = app.model_copy(update={"suites": {**app.suites, name: suite}})
    cell = Cell(suite=name) if name == START else cells_of(name, suite.model_copy(update={"shards": 1}))[0]
    made = made_for(app, suite, secrets)
    return CellRun(app, cell, images, run, log, log.with_suffix(""), secrets=secrets, made=made)


def _volumes(sandbox: Sandbox) -> set[str]:
    label = f"{LABEL_SANDBOX}={sandbox.labels[LABEL_SANDBOX]}"
    found = sandbox.client.volumes.list(filters={"label": [label, f"{LABEL_ROLE}=volume"]})
    return {str(volume.name) for volume in found}

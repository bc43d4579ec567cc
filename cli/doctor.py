"""`headway doctor`: what the machine has, what is missing, what a sweep would remove."""

import shutil
import sys
from typing import Annotated, Literal

import typer

from cli.output import print_json, print_table
from cli.project import find_folder
from cli.scan_database import describe, warning_of
from cli.session import orchestrator
from delivery.app import ScanPolicy
from delivery.configuration import FILE, read_app
from delivery.errors import HeadwayError, Misconfigured
from delivery.home import Home
from delivery.model import Model
from delivery.programs.git_command import check_version, version

State = Literal["ok", "warning", "missing"]
LEAST_FREE_GIBIBYTES = 5


class Finding(Model):
    """One thing that was looked at."""

    what: str
    state: State
    found: str
    next_step: str = ""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print data.")] = False) -> int:
    """Look at everything Headway needs and say what is missing; changes nothing, ends 2 when something is missing."""
    home = Home.current()
    findings = [_python(), _git(), *_docker(home), _scanner(), _disk(home), *_platform()]
    if as_json:
        print_json([finding.model_dump() for finding in findings])
    else:
        print_table(["", "state", "found", "next step"], [(f.what, f.state, f.found, f.next_step) for f in findings])
    return Misconfigured.exit_code if any(finding.state == "missing" for finding in findings) else 0


def _python() -> Finding:
    return Finding(what="Python", state="ok", found=sys.version.split()[0])


def _git() -> Finding:
    if not shutil.which("git"):
        return Finding(what="git", state="missing", found="not installed", next_step="sudo apt-get install git")
    try:
        check_version()
    except Misconfigured as error:
        return Finding(what="git", state="missing", found=error.found, next_step=error.next_step)
    return Finding(what="git", state="ok", found=".".join(map(str, version())))


def _docker(home: Home) -> list[Finding]:
    from delivery.containers.build_client import find_builder
    from delivery.containers.sweep import find_orphans
    from delivery.platform.engine import engine_version

    version = engine_version()
    if version is None:
        return [Finding(what="Docker", state="missing", found="no engine answers", next_step="headway up")]
    findings = [Finding(what="Docker", state="ok", found=version)]
    findings.append(_when_docker_dies())
    try:
        builder = find_builder()
        state: State = "ok" if builder.kind != "classic" else "warning"
        findings.append(Finding(what="builder", state=state, found=str(builder)))
    except HeadwayError as error:
        findings.append(Finding(what="builder", state="missing", found=str(error)))
    orphans = find_orphans(home.identity)
    found = ", ".join(f"{orphan.kind} {orphan.name} ({orphan.why})" for orphan in orphans) or "nothing"
    state = "warning" if orphans else "ok"
    findings.append(Finding(what="a sweep would remove", state=state, found=found))
    return findings


def _when_docker_dies() -> Finding:
    from delivery.platform.engine import DAEMON_JSON, is_live_restored

    what = "containers when Docker dies"
    if is_live_restored():
        return Finding(what=what, state="ok", found="live on")
    step = f'"live-restore": true, "userland-proxy": false in {DAEMON_JSON}, then restart Docker'
    return Finding(what=what, state="warning", found="end with it: live-restore is off", next_step=step)


def _scanner() -> Finding:
    """Say whether scans will be able to say yes or no, of the application one stands in or of one with no policy."""
    file = find_folder() / FILE
    try:
        app = read_app(file).app if file.is_file() else None
    except Misconfigured:  # `headway check` says what is wrong with the file
        app = None
    policy = app.scan if app else ScanPolicy()
    warned = warning_of(policy)
    found, _, step = warned.partition("\n  next: ")
    state: State = "warning" if warned else "ok"
    return Finding(what="vulnerability database", state=state, found=found or describe(policy), next_step=step)


def _disk(home: Home) -> Finding:
    folder = next(path for path in (home.root, *home.root.parents) if path.exists())
    free = shutil.disk_usage(folder).free / 2**30
    enough = free >= LEAST_FREE_GIBIBYTES
    step = "" if enough else f"free at least {LEAST_FREE_GIBIBYTES} GiB"
    return Finding(what="disk", state="ok" if enough else "warning", found=f"{free:.1f} GiB free", next_step=step)


def _platform() -> list[Finding]:
    prefect = orchestrator()
    daemons = [("Prefect worker", prefect.worker), ("keeper", prefect.keeper)]

    def one(what: str, up: bool, found: str) -> Finding:
        return Finding(
            what=what,
            state="ok" if up else "warning",
            found=found if up else "not running",
            next_step="" if up else "headway up",
        )

    server = one("Prefect server", prefect.answers(), prefect.url)
    return [server, *(one(what, daemon.process() is not None, str(daemon.log)) for what, daemon in daemons)]

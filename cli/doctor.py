"""`headway doctor`: what the machine has, what is missing, what a sweep would remove."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from cli.output import AsJson, print_model, print_table
from cli.project import find_folder
from cli.scan_database import describe, warning_of
from cli.session import orchestrator
from delivery.errors import HeadwayError, Misconfigured
from delivery.full_disk import free_bytes, nearest, storage_trouble, why_not_written
from delivery.home import Home
from delivery.model import Model
from delivery.platform.orchestrator import Orchestrator
from delivery.programs.git_command import check_version, version
from delivery.spec.configuration import FILE, read_app
from delivery.spec.scan import ScanPolicy

State = Literal["ok", "warning", "missing"]
LEAST_FREE_GIBIBYTES = 5
HOME = "disk of the home"


class Finding(Model):
    """One thing that was looked at."""

    what: str
    state: State
    found: str
    next_step: str = ""


def doctor(as_json: AsJson = False) -> int:
    """Look at everything Headway needs and say what is missing; changes nothing, ends 2 when something is missing."""
    home = Home.current()
    findings = [_python(), _git(), *_told("Docker", lambda: _docker(home)), *_disks(home)]
    if not any(finding.what == HOME and finding.state == "missing" for finding in findings):
        findings += [_scanner(), *_told("platform", _platform)]  # it looks where it is kept
        findings += _told("what listens", lambda: _listening(orchestrator()))
    if as_json:
        print_model(findings)
    else:
        print_table(["", "state", "found", "next step"], [(f.what, f.state, f.found, f.next_step) for f in findings])
    return Misconfigured.exit_code if any(finding.state == "missing" for finding in findings) else 0


def _told(what: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """Return what is found, or why nothing could be: what is broken keeps nobody from reading the rest."""
    try:
        return look()
    except HeadwayError as error:
        return [Finding(what=what, state="missing", found=str(error))]
    except OSError as error:
        return [Finding(what=what, state="missing", found=str(storage_trouble(error) or error))]


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
    from delivery.docker.engine.sweep import find_orphans
    from delivery.docker.images.build_client import find_builder
    from delivery.platform.engine import engine_version

    version = engine_version()
    if version is None:
        return [_no_docker()]
    findings = [Finding(what="Docker", state="ok", found=version), *_registry(home)]
    findings.append(_when_docker_dies())
    try:
        builder = find_builder()
        state: State = "ok" if builder.kind != "classic" else "warning"
        findings.append(Finding(what="builder", state=state, found=str(builder)))
    except HeadwayError as error:
        findings.append(Finding(what="builder", state="missing", found=str(error)))
    findings += _stopped(home)
    orphans = find_orphans(home.identity)
    found = ", ".join(f"{orphan.kind} {orphan.name} ({orphan.why})" for orphan in orphans) or "nothing"
    state = "warning" if orphans else "ok"
    findings.append(Finding(what="a sweep would remove", state=state, found=found))
    return findings


def _no_docker() -> Finding:
    from delivery.docker.engine.engine_state import is_on_its_way
    from delivery.platform.engine import why_no_engine

    if is_on_its_way():
        step = "wait for it; when it stays so, read its log (journalctl -u docker)"
        return Finding(what="Docker", state="warning", found="starting: it does not answer yet", next_step=step)
    trouble = why_no_engine()
    found, step = (trouble.found, trouble.next_step) if trouble else ("no engine answers", "headway up")
    return Finding(what="Docker", state="missing", found=found, next_step=step)


def _registry(home: Home) -> list[Finding]:
    from delivery.docker.images.registry_state import look_at_registry

    if not (home.root / "identity").exists():  # nothing is up here yet, and nothing is written to look
        return [Finding(what="registry", state="warning", found="it was never started", next_step="headway up")]
    seen = look_at_registry(home)
    found = f"{seen.address}: {seen.problem}".removeprefix(": ") if seen.problem else seen.address
    state: State = "warning" if seen.problem else "ok"
    return [Finding(what="registry", state=state, found=found, next_step=seen.next_step if seen.problem else "")]


def _stopped(home: Home) -> list[Finding]:
    """Return each container of an environment that does not run although it shall."""
    from delivery.docker.target.lifecycle import find_exited, last_reason

    if not home.up.exists():  # `headway down` stopped them
        return []
    step = "docker start NAME tells more; the keeper tries again by itself"
    return [
        Finding(
            what=f"{one.environment} of {one.app}" if one.environment else one.name,
            state="warning",
            found=f"{one.name} does not run: {last_reason(one)}",
            next_step=step.replace("NAME", one.name),
        )
        for one in find_exited(home)
    ]


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


def _disks(home: Home) -> list[Finding]:
    """Look at the disk of the home, and at the engine's when that is another one."""
    return [_home(home), *_told("disk of Docker", lambda: _engine_disk(home))]


def _home(home: Home) -> Finding:
    trouble = why_not_written(home)
    if trouble:
        found, _, step = trouble.partition("\n  next: ")
        return Finding(what=HOME, state="missing", found=found, next_step=step)
    return _room(HOME, nearest(home.root), home.root)


def _engine_disk(home: Home) -> list[Finding]:
    from delivery.docker.engine.disk import engine_disk
    from delivery.platform.engine import engine_version

    root = engine_disk() if engine_version() else None
    if root is None or root.stat().st_dev == nearest(home.root).stat().st_dev:
        return []
    return [_room("disk of Docker", root, root, "; docker system df shows what takes the space")]


def _room(what: str, place: Path, shown: Path, more: str = "") -> Finding:
    free = free_bytes(place) / 2**30
    enough = free >= LEAST_FREE_GIBIBYTES
    step = "" if enough else f"free at least {LEAST_FREE_GIBIBYTES} GiB{more}"
    return Finding(
        what=what, state="ok" if enough else "warning", found=f"{free:.1f} GiB free for {shown}", next_step=step
    )


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

    server = _elsewhere(prefect) or one("Prefect server", prefect.answers(), prefect.url)
    return [server, *(one(what, daemon.process() is not None, str(daemon.log)) for what, daemon in daemons)]


def _listening(prefect: Orchestrator) -> list[Finding]:
    """Say at which addresses the platform is answered, and warn of one that other machines reach unasked."""
    from delivery.platform.engine import engine_version
    from delivery.platform.listening import listeners

    if not (prefect.home.root / "identity").exists() or engine_version() is None:
        return []
    found = listeners(prefect)
    if not found:
        return []
    open_to_others = [one for one in found if not one.is_local and not one.as_asked]
    step = "let nobody but this machine reach " + ", ".join(f"{one.what} ({one.where})" for one in open_to_others)
    return [
        Finding(
            what="what listens",
            state="warning" if open_to_others else "ok",
            found=", ".join(f"{one.what} {one.where}" for one in found),
            next_step=step if open_to_others else "",
        )
    ]


def _elsewhere(prefect: Orchestrator) -> Finding | None:
    """Look at the server that PREFECT_API_URL names, if it does."""
    try:
        prefect.check()
    except Misconfigured as error:
        return Finding(what="Prefect server", state="missing", found=error.found, next_step=error.next_step)
    return Finding(what="Prefect server", state="ok", found=prefect.api) if prefect.elsewhere else None

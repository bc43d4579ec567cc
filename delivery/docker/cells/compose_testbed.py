"""A user's own Compose file as the environment of a cell."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from docker.errors import APIError
from docker.models.containers import Container

from delivery.changes.ledger import LABEL_ROLE, LABEL_SANDBOX
from delivery.docker.cells.compose_build import have_images, remove_built
from delivery.docker.engine.client import connect
from delivery.docker.engine.logs import OPTIONS, save_log
from delivery.docker.engine.outcome import prepare_folder
from delivery.docker.images.build_client import find_compose
from delivery.docker.sandbox.jobs import end_of
from delivery.docker.sandbox.sandbox import Sandbox, image_defaults, open_sandbox, outlasting
from delivery.errors import CommandFailed, Interrupted, Misconfigured, Rejected, Transient
from delivery.home import Home
from delivery.log_files import last_lines
from delivery.ports.cells import CellResult
from delivery.ports.jobs import REPORTS, ImageDefaults
from delivery.programs import compose as program
from delivery.programs.compose import Compose, Document
from delivery.programs.compose_limits import clean, outside_files, refusals
from delivery.programs.run import run
from delivery.testing.cell_run import CellRun

READ_SECONDS = 60
CREATE_SECONDS = 300
UP_SECONDS = 300
NEVER = "0001-"  # when the engine says that something did not happen
NUMBER = "com.docker.compose.container-number"


@dataclass(frozen=True)
class _Stage:
    """The Compose file of a cell and what it is carried out with."""

    job: CellRun
    compose: Compose
    host: str | None

    @property
    def source(self) -> Path:
        return self.job.source.resolve()

    @property
    def file(self) -> Path:
        return self.source / (self.job.suite.compose or "")

    @property
    def service(self) -> str:
        return self.job.suite.compose_service or ""

    @property
    def key(self) -> str:
        return f"headway.yaml: suites.{self.job.cell.suite}.compose"

    @property
    def engine(self) -> str:
        return self.host or os.environ.get("DOCKER_HOST") or "unix://"

    @property
    def env(self) -> Mapping[str, str | None]:
        """Variables of the program: the file may use the axes, and nothing else that this process knows."""
        return {
            **clean(os.environ),
            **self.job.cell.variables,
            **program.ENVIRONMENT,
            **({"DOCKER_HOST": self.host} if self.host else {}),
        }

    def run(self, argv: Sequence[str], document: Document, seconds: float) -> str:
        """Run Compose on a document that no file ever holds, for there are secrets in it; return its last lines."""
        text, hide = program.write_document(document), self.job.hide
        return hide.text(run(argv, timeout_seconds=seconds, env=self.env, stdin=text, hide=hide).last_lines())


def run_compose_cell(job: CellRun, *, home: Home, run_id: str, host: str | None = None) -> CellResult:
    """Run the cell in the environment its Compose file describes; nothing of it is left.

    What does not come up is the result `error`. Raises Misconfigured for what can never work: a service that is not
    in the file, files beside it when the engine is another machine's, the network of the machine itself.
    """
    stage, token = _Stage(job, find_compose(), host), uuid4().hex[:12]
    _refuse(stage, outside_files(stage.file, stage.source))
    try:
        document = _read(stage)
    except Rejected as error:
        return job.not_run(str(error))
    _check(stage, document)
    document = program.select_services(document, stage.service)
    delivered = program.delivered_images(document, job.app.images, job.images, stage.source)
    document = program.choose_images(document, delivered, f"headway-{home.identity}-build:{token}")
    try:
        with _sources_of_its_own(stage, document, home.work / run_id / f"compose-{token}") as document:
            lives = outlasting(job.suite.timeout_seconds)
            with open_sandbox(home, run_id, "cell", host=host, stand_ins=job.app.stand_ins, lives=lives) as sandbox:
                try:
                    return _run_suite(sandbox, stage, program.isolate(document, sandbox.name, sandbox.labels, OPTIONS))
                finally:
                    _save_logs(sandbox, stage)
    except (Rejected, Misconfigured) as error:
        return job.not_run(str(error))
    finally:
        remove_built(connect(host), document)


def _read(stage: _Stage) -> Document:
    """Return the file as Compose understands it; Rejected, with Compose's own words, when it does not."""
    argv = program.config_argv(stage.compose, stage.file)
    try:
        done = run(argv, timeout_seconds=READ_SECONDS, env=stage.env)
        return program.read_document(done.stdout)
    except CommandFailed as error:
        said = error.last_lines
    except ValueError:  # an installed wrapper that forgets the exit code
        said = done.last_lines()
    raise Rejected(f"{stage.key}: Compose does not take {stage.job.suite.compose}\n{said}")


def _check(stage: _Stage, document: Document) -> None:
    services = document.get("services") or {}
    if stage.service not in services:
        found = f"there is no service {stage.service} in {stage.job.suite.compose}"
        raise Misconfigured(f"{stage.key}_service", found, ", ".join(services) or "none, the file has no services")
    selected = program.select_services(document, stage.service)
    for found in program.reaching_out(selected):
        raise Misconfigured(stage.key, f"{found}, which cells side by side would share", "networks of the file")
    _refuse(stage, refusals(selected, stage.source))
    bound = program.bound_from(selected, stage.source)
    if bound and not stage.engine.startswith(("unix://", "npipe://")):
        lacking = f"which the Docker engine at {stage.engine} does not have"
        raise Misconfigured(
            stage.key,
            f"{', '.join(bound)} mounts files of the repository, {lacking}",
            "volumes that are not folders of the repository",
            "put the files into an image with `build:`, or test where the engine runs",
        )


def _refuse(stage: _Stage, reaching: Iterator[str]) -> None:
    """Raise Misconfigured for what of a commit would reach out of its containers."""
    if found := list(reaching):
        raise Misconfigured(
            f"{stage.key}: {stage.job.suite.compose}",
            "; ".join(found),
            "what stays within the containers, and files of the repository (docs/security.md has the list)",
            "leave these keys out, or keep them in a Compose file that the suite does not name",
        )


@contextlib.contextmanager
def _sources_of_its_own(stage: _Stage, document: Document, place: Path) -> Iterator[Document]:
    """Yield the document that mounts a copy of the sources when something in it may change them."""
    if not program.bound_from(document, stage.source, written=True):
        yield document
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(stage.source, place, symlinks=True)
        yield program.move_binds(document, stage.source, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _run_suite(sandbox: Sandbox, stage: _Stage, document: Document) -> CellResult:
    """Bring the environment up, run the suite's container to its end and read what it left behind."""
    job, name, folder = stage.job, stage.service, stage.file.parent
    log = job.log_of("compose-build")
    document = have_images(
        sandbox, stage.compose, document, key=stage.key, folder=folder, env=stage.env, log=log, hide=job.hide
    )
    service = document["services"][name]
    tool = job.tool({}, _defaults(sandbox, service))
    own = job.job(name, service["image"], tool, {})
    document = program.with_suite(document, name, tool.command, own.revealed(), tool.entrypoint)
    container = _create(sandbox, stage, document)
    if not service.get("read_only"):
        prepare_folder(container, REPORTS)
    _start(sandbox, stage, document, container)
    return job.ended(end_of(container, own, time.monotonic()), tool)


def _defaults(sandbox: Sandbox, service: Document) -> ImageDefaults:
    """Return what the service runs by itself: what the file says was written for it, whatever its image says."""
    image = image_defaults(sandbox.client, service["image"])
    command = program.own_command(service)
    entrypoint = service.get("entrypoint")
    return ImageDefaults(
        command=image.command if command is None else tuple(command),
        entrypoint=image.entrypoint if entrypoint is None else tuple(entrypoint),
        env={**image.env, **{name: text or "" for name, text in (service.get("environment") or {}).items()}},
        chosen=command is not None,
    )


def _create(sandbox: Sandbox, stage: _Stage, document: Document) -> Container:
    """Create everything, ready to be started, and return the suite's container."""
    argv, failed = program.create_argv(stage.compose, sandbox.name, stage.file.parent), False
    try:
        said = stage.run(argv, document, CREATE_SECONDS)
    except Rejected as error:
        said, failed = _words(error), True
        if "address pool" in said:  # all networks are taken; the engine has no code for it
            raise Transient(f"the Docker engine: {said}") from error
    own = f"{LABEL_SANDBOX}={sandbox.labels[LABEL_SANDBOX]}"
    for container in sandbox.client.containers.list(all=True, filters={"label": own}, ignore_removed=True):
        number = container.labels.get(NUMBER, "1")
        sandbox.parts[container.labels[LABEL_ROLE] + (f"-{number}" if number != "1" else "")] = container
    if failed or stage.service not in sandbox.parts:
        raise Rejected(f"{stage.key}: the environment could not be created\n{said}")
    return sandbox.parts[stage.service]


def _start(sandbox: Sandbox, stage: _Stage, document: Document, suite: Container) -> None:
    """Start everything in its order; Rejected, with the service that kept the suite from starting, when it did not."""
    argv = program.start_argv(stage.compose, sandbox.name, stage.file.parent)
    try:
        said = stage.run(argv, document, max(UP_SECONDS, stage.job.suite.timeout_seconds))
        suite.reload()
        if not suite.attrs["State"]["StartedAt"].startswith(NEVER):
            return
    except Rejected as error:
        said = _words(error)
    if sandbox.was_emptied():
        raise Interrupted(f"{sandbox.name} was removed while it was needed")
    states = {role: one.attrs["State"] for role, one in sandbox.parts.items() if role != stage.service}
    for role in sorted(states, key=lambda role: bool(states[role]["Running"])):  # what stopped says more
        if trouble := trouble_of(states[role]):
            log = stage.job.log_of(role)
            save_log(sandbox.parts[role], log, stage.job.hide)
            raise Rejected(f"{stage.key}: service {role} {trouble}\n{last_lines(log) or said}")
    raise Rejected(f"{stage.key}: the environment did not come up\n{said}")


def trouble_of(state: Mapping[str, Any]) -> str:
    """Return what is wrong with a container that others may wait for; nothing when it runs or ended well."""
    health = state.get("Health") or {}
    if not state["Running"] or state.get("Restarting"):
        return f"stopped with exit code {state['ExitCode']}" if state["ExitCode"] else ""
    if health.get("Status") in (None, "none", "healthy"):
        return ""
    checks = [str(check.get("Output", "")).strip() for check in health.get("Log") or ()]
    last = (checks[-1] if checks else "").splitlines()
    return f"did not become healthy{f': {last[-1]}' if last else ''}"


def _words(error: Rejected) -> str:
    return error.last_lines if isinstance(error, CommandFailed) else str(error)


def _save_logs(sandbox: Sandbox, stage: _Stage) -> None:
    """Keep the logs of what ran beside the suite."""
    for role, container in sandbox.parts.items():
        if role != stage.service:
            with contextlib.suppress(APIError):  # it is gone, or never started
                save_log(container, stage.job.log_of(role), stage.job.hide)

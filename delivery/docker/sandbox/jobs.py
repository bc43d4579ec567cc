"""Jobs in containers: created, waited for, and what they leave behind copied out."""

import time
from typing import Any

from docker.models.containers import Container

from delivery.docker.engine.client import connect
from delivery.docker.engine.logs import save_log
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.engine.outcome import prepare_folder, wait_for_end
from delivery.docker.images.bases import resolve_base
from delivery.docker.sandbox.reports import copy_out
from delivery.docker.sandbox.sandbox import Sandbox, engine_errors, image_defaults, open_sandbox, outlasting
from delivery.home import Home
from delivery.log_files import last_lines
from delivery.ports.jobs import REPORTS, ImageDefaults, Job, JobResult
from delivery.redaction import Redaction
from delivery.spec.stand_ins import StandIns


def run_job(sandbox: Sandbox, job: Job, **options: Any) -> JobResult:
    """Run `job` in a container of `sandbox`, with the engine's `options`, and return how it ended."""
    if job.entrypoint:
        options["entrypoint"] = list(job.entrypoint)
    if job.shm_bytes:
        options["shm_size"] = job.shm_bytes
    container = sandbox.create(job.name, job.image, job.command, env=job.revealed(), **options)
    if job.reports:
        prepare_folder(container, REPORTS)
    started = time.monotonic()
    container.start()
    job.begun()  # what it raises ends the sandbox, and the container with it
    return end_of(container, job, started)


def end_of(container: Container, job: Job, started: float) -> JobResult:
    """Wait for the end of a job that was started, and return it with its log and reports copied out."""
    exit_code = wait_for_end(container, job.timeout_seconds)
    lost = save_log(container, job.log, Redaction([*job.secrets.values(), *job.hide]))
    found = [copy_out(container, pattern, job.report_dir, limit=limit) for pattern, limit in job.reports.items()]
    return JobResult(exit_code, time.monotonic() - started, last_lines(job.log), tuple(found), lost)


class DockerJobs:
    """Runs programs on an environment's network, each in a container that is removed at its end."""

    def __init__(self, names: EnvironmentNames, home: Home, host: str | None, stand_ins: StandIns) -> None:
        self.names, self.home, self.host, self.stand_ins = names, home, host, stand_ins

    def image_defaults(self, image: str) -> ImageDefaults:
        """Return what an image runs by itself, which the engine gets when it does not have it."""
        with engine_errors():
            found = resolve_base(image, home=self.home, host=self.host, stand_ins=self.stand_ins)
            return image_defaults(connect(self.host), found.used)

    def run(self, job: Job) -> JobResult:
        """Run `job` to its end; its container is gone then."""
        lives = outlasting(job.timeout_seconds)
        with open_sandbox(
            self.home, job.run, job.name, host=self.host, stand_ins=self.stand_ins, lives=lives
        ) as sandbox:
            sandbox.network = self.names.backbone
            return run_job(sandbox, job)

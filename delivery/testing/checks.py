"""Checks of a release that are programs of their own: how they are run, and what their end means."""

from pathlib import Path

from delivery.ports.jobs import BROWSER_SHM_BYTES, Job, Jobs
from delivery.spec.checks import CommandCheck

NAME = "check"


def run_command(
    jobs: Jobs, check: CommandCheck, environment: str, *, image: str, base_url: str, run: str, log: Path
) -> str:
    """Run the command beside the environment and return why it did not pass, or nothing; nothing of it is left.

    Raises Rejected when it cannot be started.
    """
    job = Job(
        name=NAME,
        image=image,
        run=run,
        log=log,
        command=None if check.command is None else tuple(check.command),
        env={"BASE_URL": base_url, "HEADWAY_ENVIRONMENT": environment},
        timeout_seconds=check.timeout_seconds,
        shm_bytes=BROWSER_SHM_BYTES,
    )
    return jobs.run(job).problem(check.timeout_seconds)

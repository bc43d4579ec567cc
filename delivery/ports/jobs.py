"""Jobs: programs that run to their end beside an environment: migrations, command checks, acceptance suites."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

REPORTS = "/reports"  # a folder that every job finds, writable for whatever user it runs as
BROWSER_SHM_BYTES = 512 * 1024 * 1024  # Docker gives 64 MiB, in which a browser's pages crash
MAX_REPORT_BYTES = 64_000_000  # of all files that one glob names


@dataclass(frozen=True)
class ImageDefaults:
    """What an image, or a service of a Compose file, runs by itself; `chosen` when it was written for this suite."""

    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    chosen: bool = False

    @property
    def argv(self) -> tuple[str, ...]:
        """The whole command line."""
        return (*self.entrypoint, *self.command)


@dataclass
class Reports:
    """What was found: files by their names below the folder they were copied to, and why they are no witness."""

    names: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    problem: str = ""
    looked: str = ""


@dataclass(frozen=True)
class Job:
    """One program, run once in a container or task of its own.

    `command` and `entrypoint` are none when the image's own are right. `secrets` go over `env`; neither they nor what
    `hide` holds are in the log. `shm_bytes` is the size of /dev/shm; none: what the place gives. `reports` are globs of
    files it leaves, each with the most bytes that are taken: they come to `report_dir`. `begun` is called once it runs:
    when that raises, the job is ended, and it is raised again.
    """

    name: str
    image: str
    run: str
    log: Path
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)
    hide: tuple[SecretStr, ...] = field(default=(), repr=False)
    timeout_seconds: float = 600
    shm_bytes: int | None = None
    reports: Mapping[str, int] = field(default_factory=dict)
    report_dir: Path = Path()
    begun: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)

    def revealed(self) -> dict[str, str]:
        """Return all variables: hand them to the place and nowhere else."""
        return {**self.env, **{variable: secret.get_secret_value() for variable, secret in self.secrets.items()}}


@dataclass(frozen=True)
class JobResult:
    """How a job ended; its log is where the job said."""

    exit_code: int | None  # none: its time was over, and it was ended
    seconds: float
    last_lines: str = ""
    reports: tuple[Reports, ...] = ()
    remark: str = ""

    def problem(self, timeout_seconds: float) -> str:
        """Say how it failed, with the last lines of its log; empty when it did not."""
        if self.exit_code == 0:
            return ""
        late = f"did not end within {timeout_seconds:g} s"
        how = late if self.exit_code is None else f"ended with exit code {self.exit_code}"
        return f"{how}; its last lines:\n{self.last_lines}" if self.last_lines else f"{how} and printed nothing"


class Jobs(Protocol):
    """Runs programs beside an environment, where the application's entry and its database can be reached."""

    def image_defaults(self, image: str) -> ImageDefaults:
        """Return what an image runs by itself; Misconfigured when it cannot be had."""
        ...

    def run(self, job: Job) -> JobResult:
        """Run `job` to its end, or end it when its time is over; nothing of it is left.

        Raises Rejected when it cannot be started, Misconfigured when its image cannot be had.
        """
        ...

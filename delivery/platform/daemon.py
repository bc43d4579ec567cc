"""Processes that outlive the command that starts them, found again by a file with their process id."""

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock


@dataclass(frozen=True)
class Daemon:
    """One background process of the platform.

    The file holds the process id and its start time: an id that the system gave to another process since then is
    not mistaken for ours.
    """

    name: str
    folder: Path
    log: Path
    has_family: bool = True  # its children end with it; off for one whose children are daemons of their own

    @property
    def has_died(self) -> bool:
        """Whether it was started, was not stopped, and does not run."""
        return self._path.exists() and self.process() is None

    def process(self) -> psutil.Process | None:
        """Return the running process, or none."""
        try:
            pid, started = self._path.read_text().split()
            process = psutil.Process(int(pid))
            alive = abs(process.create_time() - float(started)) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None
        return process if alive else None

    def start(self, argv: Sequence[str], env: Mapping[str, str]) -> psutil.Process:
        """Start the process unless it runs, in a session of its own, its output appended to the log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f"{self.name}.lock"):
            if running := self.process():
                return running
            with self.log.open("ab") as log:
                child = subprocess.Popen(
                    list(argv),
                    env={**_own_environment(), **env},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    cwd=self.folder,
                )
            process = psutil.Process(child.pid)
            try:
                self._path.write_text(f"{process.pid} {process.create_time()}\n")
            except OSError as error:  # nobody would find it again, and start another one beside it
                child.kill()
                child.wait()
                self._path.unlink(missing_ok=True)
                raise OSError(error.errno, error.strerror, str(self._path)) from error
            return process

    def stop(self, *, grace_seconds: float = 20) -> bool:
        """Ask the process and its children to end, then make them; return whether there was one."""
        process = self.process()
        if process is None:
            self._path.unlink(missing_ok=True)
            return False
        family = [process, *(process.children(recursive=True) if self.has_family else [])]
        process.terminate()
        _, left = psutil.wait_procs(family, timeout=grace_seconds)
        for member in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(left, timeout=5)
        self._path.unlink(missing_ok=True)
        return True

    def last_lines(self, count: int = 15) -> str:
        """Return the end of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    @property
    def _path(self) -> Path:
        return self.folder / f"{self.name}.pid"


def _own_environment() -> dict[str, str]:
    """Return this process's environment without what Prefect tells a run about itself: a daemon is no part of it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT__")}

"""Jobs: programs of this machine, each in a folder of its own; the folder of reports is below it."""

import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from delivery.errors import Rejected
from delivery.log_files import last_lines
from delivery.ports.jobs import ImageDefaults, Job, JobResult, Reports
from delivery.programs.run import run
from delivery.redaction import Redaction
from tests.places.folder_place.files import Files

SAYING_WHO = ("sh", "-c", 'echo $$ >"$0"; exec "$@"')  # its number goes to the file that is named behind


class FolderJobs:
    """Starts a job's command as a process; its image says nothing here."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def image_defaults(self, image: str) -> ImageDefaults:
        return ImageDefaults()

    def run(self, job: Job) -> JobResult:
        job.begun()
        process = self.files.process(job.run)
        process.parent.mkdir(parents=True, exist_ok=True)
        argv, started = (
            (*SAYING_WHO, str(process), *(job.entrypoint or ()), *(job.command or ("true",))),
            time.monotonic(),
        )
        with TemporaryDirectory() as folder:
            (Path(folder) / "reports").mkdir()
            try:
                code = self._run(job, argv, Path(folder))
            finally:
                process.unlink(missing_ok=True)
                Redaction([*job.secrets.values(), *job.hide]).file(job.log)
            reports = tuple(_copied(job, Path(folder), pattern, most) for pattern, most in job.reports.items())
        return JobResult(code, time.monotonic() - started, last_lines(job.log), reports)

    def _run(self, job: Job, argv: tuple[str, ...], folder: Path) -> int | None:
        started, every = time.monotonic(), range(-64, 256)
        job.log.parent.mkdir(parents=True, exist_ok=True)
        job.log.touch()
        try:
            ended = run(
                argv, timeout_seconds=job.timeout_seconds, cwd=folder, env=job.revealed(), log=job.log, accept=every
            )
        except Rejected:
            if time.monotonic() - started < job.timeout_seconds:
                raise
            return None
        return ended.returncode


def _copied(job: Job, folder: Path, pattern: str, most_bytes: int) -> Reports:
    """Copy what a glob of the job names, which begins with the folder of reports, into the folder it said."""
    found = sorted(folder.glob(pattern.lstrip("/")))
    if sum(path.stat().st_size for path in found) > most_bytes:
        return Reports(problem=f"{pattern}: more than {most_bytes} bytes", looked=pattern)
    for path in found:
        job.report_dir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, job.report_dir / path.name)
    return Reports(names=[path.name for path in found], looked=pattern)

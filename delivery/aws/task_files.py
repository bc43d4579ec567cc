"""Files that a task left: its courier put them into a bucket, whole, and what a glob names is taken out of that."""

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.failures import aws_errors, code_of
from delivery.globs import Glob
from delivery.ports.jobs import Reports

FOLDER = "tasks"


def upload_url(client: Any, bucket: str, key: str, seconds: float) -> str:
    """Return where whoever has it may put this one object for so long, without credentials."""
    with aws_errors("s3"):
        given = {"Bucket": bucket, "Key": key, "ContentType": "application/gzip"}
        return str(client.generate_presigned_url("put_object", Params=given, ExpiresIn=int(seconds)))


@contextmanager
def uploaded(client: Any, bucket: str, key: str) -> Iterator[Path | None]:
    """Yield a folder with what was put there, and remove the object; none when nothing was."""
    with tempfile.TemporaryDirectory(prefix="headway-task-") as name:
        archive, folder = Path(name) / "files.tar.gz", Path(name) / "files"
        with aws_errors("s3"):
            try:
                client.download_file(bucket, key, str(archive))
            except ClientError as error:
                if code_of(error) in ("NoSuchKey", "404"):
                    yield None
                    return
                raise
            client.delete_object(Bucket=bucket, Key=key)
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")  # nothing leaves the folder: no links, no absolute names
        yield folder


def take(folder: Path | None, pattern: str, into: Path, limit: int) -> Reports:
    """Copy what the glob names to `into`, at most `limit` bytes."""
    found, glob, taken = Reports(looked=f"looked for {pattern}"), Glob(PurePosixPath(pattern)), 0
    for path in sorted(folder.rglob("*")) if folder else ():
        inside = PurePosixPath("/") / path.relative_to(folder or Path()).as_posix()
        if not path.is_file() or not glob.matches(inside):
            continue
        taken += path.stat().st_size
        if taken > limit:
            found.problem = f"{inside}: the reports have more than the {limit / 1e6:.0f} MB that are read"
            return found
        start = glob.start
        name = str(inside.relative_to(start)) if inside != start else inside.name
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, into / name)
        found.names.append(name)
    return found

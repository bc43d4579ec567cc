"""File systems of a test's own: small ones, full ones, and those that nobody may write."""

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KIBIBYTES = 2048


@contextmanager
def small_disk(folder: Path, kibibytes: int = KIBIBYTES) -> Iterator[Path]:
    """Yield the folder, as a file system of so many KiB; skips the test where none can be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=30)


def fill(folder: Path) -> Path:
    """Take all the room there is, and return the file that has it."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def make_read_only(folder: Path) -> None:
    """Let nobody write to a file system of a test's own any more."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True, timeout=30)

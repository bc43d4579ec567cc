"""Repositories as people make them: with the git on PATH, and with settings of nobody else."""

import os
import subprocess
from pathlib import Path

WHEN = "2026-03-04T05:06:07+00:00"


def git(folder: Path, *arguments: str, **env: str) -> str:
    """Return what git prints, as whoever works in `folder` would call it."""
    # A submodule's address may be a folder only where somebody says so.
    argv = ["git", "-C", str(folder), "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, **env})
    return done.stdout.strip()


def new_repository(folder: Path, files: dict[str, str | bytes], *options: str) -> Path:
    """Make a repository of `files` with one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", *options)
    write(folder, files)
    commit(folder, "Begin")
    return folder


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def commit(folder: Path, subject: str) -> str:
    """Commit everything and return the commit."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", subject)
    return git(folder, "rev-parse", "HEAD")

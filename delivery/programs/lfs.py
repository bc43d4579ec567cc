"""Files that Git LFS keeps beside the repository: their content is what is delivered, never the pointer to it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from delivery.errors import CommandFailed, Misconfigured
from delivery.programs.git_command import ask_git
from delivery.programs.submodules import Entry

POINTER = b"version https://git-lfs.github.com/spec/"
POINTER_BYTES = 1024
SHOWN = 3
# What `git lfs install` sets, and nothing that leaves content away.
SETTINGS = {
    "filter.lfs.clean": "git-lfs clean -- %f",
    "filter.lfs.process": "git-lfs filter-process",
    "filter.lfs.required": "true",
    "filter.lfs.smudge": "git-lfs smudge -- %f",
    "lfs.fetchexclude": "",
    "lfs.fetchinclude": "",
    "lfs.skipdownloaderrors": "false",
}


def find(files: Sequence[Entry], tree: Path, env: Mapping[str, str]) -> list[Entry]:
    """Return those of `files` that the attributes in git's index give to Git LFS."""
    if not files:
        return []
    names = "".join(f"{entry.quoted}\n" for entry in files)
    told = ask_git(tree, "check-attr", "--cached", "--stdin", "filter", env=env, stdin=names).split("\n")[:-1]
    return [entry for entry, line in zip(files, told, strict=True) if line.endswith(": filter: lfs")]


def check_installed(files: Sequence[Entry], folder: Path) -> None:
    """Return when there are no `files`, or there is a program that has their content; Misconfigured otherwise."""
    if not files:
        return
    try:
        ask_git(folder, "lfs", "version")
    except CommandFailed as error:
        raise Misconfigured(
            _shown(files), "is kept by Git LFS, and git-lfs is not installed", next_step="sudo apt-get install git-lfs"
        ) from error


def check_content(files: Sequence[Entry], tree: Path) -> None:
    """Return when none of `files` is still a pointer; Misconfigured otherwise."""
    left = [entry for entry in files if _is_pointer(tree / entry.path)]
    if left:
        raise Misconfigured(
            _shown(left), "is still a pointer of Git LFS, its content could not be had", next_step="git lfs fetch --all"
        )


def _is_pointer(path: Path) -> bool:
    return path.stat().st_size < POINTER_BYTES and path.read_bytes().startswith(POINTER)


def _shown(files: Sequence[Entry]) -> str:
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return ", ".join(entry.path for entry in files[:SHOWN]) + more

"""What was pushed: which commit a ref names, whether one is before another, which files differ, what a file said."""

from pathlib import Path

from delivery.errors import CommandFailed
from delivery.programs.git_command import ask_git


def commit_of(repository: Path, name: str) -> str:
    """Return the hash of the commit a name stands for, empty when there is none."""
    wanted = f"{name}^{{commit}}"
    try:
        return ask_git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted).strip()
    except CommandFailed:
        return ""


def is_before(repository: Path, old: str, new: str) -> bool:
    """Whether `new` is `old`, or came of it."""
    try:
        ask_git(repository, "merge-base", "--is-ancestor", old, new)
    except CommandFailed:
        return False
    return True


def files_between(repository: Path, old: str, new: str) -> tuple[str, ...] | None:
    """Return the files that differ between two commits, those that were renamed by both names; none: not known."""
    try:
        found = ask_git(repository, "diff-tree", "-r", "-z", "--no-renames", "--name-only", old, new)
    except CommandFailed:
        return None
    return tuple(name for name in found.split("\0") if name)


def file_at(repository: Path, commit: str, path: str) -> str | None:
    """Return what a file says in a commit, or none when it has no such file."""
    try:
        return ask_git(repository, "cat-file", "blob", f"{commit}:{path}")
    except CommandFailed:
        return None

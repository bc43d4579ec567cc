"""Revisions of the application's repository, read with git; the work tree is never touched."""

import os
import re
import shutil
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from delivery.change import Commit
from delivery.errors import CommandFailed, Misconfigured
from delivery.programs.run import run
from delivery.release import Revision

FILE = "headway.yaml"
TIMEOUT_SECONDS = 60
EXPORT_SECONDS = 240
SHOWN = 5
MOST_COMMITS = 100

_FIELDS = "--format=%H%x00%s%x00%an%x00%cI"


def top_level(folder: Path) -> Path:
    """Return the root of the repository that holds `folder`; Misconfigured when none does."""
    if not folder.is_dir():
        raise Misconfigured(str(folder), "there is no such folder")
    try:
        return Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    except CommandFailed as error:
        raise Misconfigured(
            str(folder),
            f"is not in a git repository ({error.last_lines.strip()})",
            next_step="Headway delivers commits: git init, git add, git commit",
        ) from error


def resolve(repository: Path, revision: str, folder: str) -> Revision:
    """Return the commit `revision` names, with the tree hash of the application's folder in it.

    Raises Misconfigured for a revision that does not exist or has no headway.yaml in `folder`.
    """
    try:
        sha = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    except CommandFailed as error:
        top_level(repository)
        raise Misconfigured(f"revision {revision}", f"there is none in {repository}", _known(repository)) from error
    if not _has(repository, f"{sha}:{_below(folder)}{FILE}"):
        raise Misconfigured(
            f"revision {sha[:7]}", f"has no {_below(folder)}{FILE}", next_step=f"commit {FILE}, or choose another one"
        )
    tree = _git(repository, "rev-parse", "--verify", f"{sha}:{_below(folder).rstrip('/')}").strip()
    _, subject, author, committed = _git(repository, "show", "-s", _FIELDS, sha).strip("\n").split("\0")
    return Revision(sha=sha, tree=tree, subject=subject, author=author, committed=datetime.fromisoformat(committed))


def changed_files(repository: Path, folder: str) -> tuple[str, ...]:
    """Return the files below `folder` that differ from the last commit, new ones as well, relative to the root."""
    return parse_status(_git(repository, "status", "--porcelain", "-z", "--", folder))


def parse_status(output: str) -> tuple[str, ...]:
    """Return the paths of `git status --porcelain -z`; of a rename the new one."""
    paths: list[str] = []
    entries = iter(output.split("\0"))
    for entry in entries:
        if entry:
            paths.append(entry[3:])
            if entry[0] in "RC":
                next(entries)  # the path it had
    return tuple(paths)


def export(repository: Path, revision: str, folder: str, destination: Path) -> None:
    """Lay out `folder` as it is in the commit as `destination`: the whole of it, or nothing.

    Every file carries the commit's time. `git archive` would leave out what is marked export-ignore, which tests
    often are.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=destination.parent, prefix=".export-") as temporary:
        tree = Path(temporary) / "tree"
        tree.mkdir()
        env = {"GIT_INDEX_FILE": f"{temporary}/index", "GIT_WORK_TREE": str(tree)}
        _git(repository, "read-tree", f"{revision}:{_below(folder).rstrip('/')}", env=env)
        _git(repository, "checkout-index", "--all", "--quiet", env=env, timeout_seconds=EXPORT_SECONDS)
        _set_times(tree, int(_git(repository, "show", "-s", "--format=%ct", revision)))
        shutil.rmtree(destination, ignore_errors=True)
        os.replace(tree, destination)


def log_between(repository: Path, old: str, new: str, folder: str) -> tuple[Commit, ...]:
    """Return the commits after `old` up to `new` that touch `folder`, newest first and not more than a hundred.

    When `old` is not in this repository, as after a rewritten history, `new` alone.
    """
    commits = [f"{old}..{new}"] if _has(repository, f"{old}^{{commit}}") else ["--no-walk", new]
    output = _git(repository, "log", _FIELDS, f"--max-count={MOST_COMMITS}", *commits, "--", folder)
    lines = (line.split("\0") for line in output.splitlines())
    return tuple(Commit(sha=sha, subject=subject, author=author) for sha, subject, author, _ in lines)


def origin(repository: Path) -> str:
    """Return the address of the repository this one was cloned from, without credentials; empty when there is none."""
    try:
        address = _git(repository, "remote", "get-url", "origin").strip()
    except CommandFailed:
        return ""
    return re.sub(r"^([a-z+]+://)[^/@]*@", r"\1", address)


def _git(
    repository: Path, *arguments: str, env: dict[str, str] | None = None, timeout_seconds: float = TIMEOUT_SECONDS
) -> str:
    argv = ["git", "-C", str(repository), *arguments]
    return run(argv, timeout_seconds=timeout_seconds, env=env).stdout


def _has(repository: Path, name: str) -> bool:
    try:
        _git(repository, "cat-file", "-e", name)
    except CommandFailed:
        return False
    return True


def _known(repository: Path) -> str:
    """Return what a person could have meant."""
    branches = _git(repository, "branch", "--all", "--sort=-committerdate", "--format=%(refname:short)").splitlines()
    try:
        commits = _git(repository, "log", f"--max-count={SHOWN}", "--format=%h %s").splitlines()
    except CommandFailed:
        return "nothing, there is no commit yet"
    return f"branches {', '.join(branches[:SHOWN])}; last commits {'; '.join(commits)}"


def _below(folder: str) -> str:
    """Return `folder` as the start of a path in a commit."""
    return "" if folder in (".", "") else folder.rstrip("/") + "/"


def _set_times(tree: Path, seconds: int) -> None:
    for path in [tree, *tree.rglob("*")]:
        os.utime(path, (seconds, seconds), follow_symlinks=False)

"""Revisions of the application's repository, read with git; the work tree is never touched."""

import hashlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from delivery.errors import CommandFailed, Misconfigured
from delivery.programs.git_command import ask_git
from delivery.releases.change import Commit
from delivery.releases.release import Revision

FILE = "headway.yaml"
SHOWN = 5
MOST_COMMITS = 100
LATEST_SECONDS = 253402300799  # the last second of the year 9999; a commit may claim a later one

_FIELDS = "--format=%H%x00%s%x00%an%x00%ct%x00"


def top_level(folder: Path) -> Path:
    """Return the root of the work tree that holds `folder`; Misconfigured when none does."""
    if not folder.is_dir():
        raise Misconfigured(str(folder), "there is no such folder")
    try:
        inside, up = ask_git(folder, "rev-parse", "--is-inside-work-tree", "--show-cdup").split("\n")[:2]
    except CommandFailed as error:
        _check_owner(folder)
        raise Misconfigured(
            str(folder),
            f"is not in a git repository ({error.last_lines.strip()})",
            next_step="Headway delivers commits: git init, git add, git commit",
        ) from error
    if inside != "true":
        raise Misconfigured(
            str(folder),
            "is in a git repository, but not in a work tree of it",
            "the folder with headway.yaml, checked out",
            "git clone it, or git worktree add FOLDER",
        )
    return (folder.resolve() / up).resolve()


def resolve(repository: Path, revision: str, folder: str) -> Revision:
    """Return the commit `revision` names, with the tree hash of the application's folder in it.

    Raises Misconfigured for a revision that does not exist or has no headway.yaml in `folder`.
    """
    try:
        name = f"{revision}^{{commit}}"
        sha = ask_git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", name).strip()
    except CommandFailed as error:
        if not _is_bare(repository):
            top_level(repository)
        raise Misconfigured(f"revision {revision}", f"there is none in {repository}", _known(repository)) from error
    tree = _object(repository, f"{sha}:{'' if folder == '.' else folder}")
    file = (PurePosixPath(folder) / FILE).as_posix()
    if not tree or not _object(repository, f"{sha}:{file}"):
        raise Misconfigured(f"revision {sha[:7]}", f"has no {file}", next_step=f"commit {FILE}, or choose another one")
    _, subject, author, seconds = next(_commits(repository, "--no-walk", sha))
    return Revision(
        sha=sha,
        tree=tree,
        attributes=_attributes_above(repository, sha, folder),
        subject=subject,
        author=author,
        committed=datetime.fromtimestamp(min(seconds, LATEST_SECONDS), UTC),
    )


def has_file(repository: Path, revision: str, file: str) -> bool:
    """Whether there is such a commit, and such a file in it."""
    return bool(_object(repository, f"{revision}:{file}"))


def changed_files(repository: Path, folder: str) -> tuple[str, ...]:
    """Return the files below `folder` that differ from the last commit, new ones as well, relative to the root.

    A submodule is one of them when other files than those of its recorded commit lie in it.
    """
    options = ("--untracked-files=normal", "--ignore-submodules=none", "--find-renames")
    return parse_status(ask_git(repository, "status", "--porcelain", "-z", *options, "--", folder))


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


def log_between(repository: Path, old: str, new: str, folder: str) -> tuple[Commit, ...]:
    """Return the commits after `old` up to `new` that touch `folder`, newest first and not more than a hundred.

    When `old` is not in this repository, as after a rewritten history, `new` alone.
    """
    commits = [f"{old}..{new}"] if _object(repository, f"{old}^{{commit}}") else ["--no-walk", new]
    found = _commits(repository, f"--max-count={MOST_COMMITS}", *commits, "--", folder)
    return tuple(Commit(sha=sha, subject=subject, author=author) for sha, subject, author, _ in found)


def origin(repository: Path) -> str:
    """Return the address of the repository this one was cloned from, without credentials; empty when there is none."""
    try:
        address = ask_git(repository, "remote", "get-url", "origin").strip()
    except CommandFailed:
        return ""
    return without_credentials(address)


def without_credentials(address: str) -> str:
    """Return the address of a repository without user and password."""
    return re.sub(r"^([A-Za-z0-9+.-]+://)[^/]*@", r"\1", address)


def _commits(repository: Path, *arguments: str) -> Iterator[tuple[str, str, str, int]]:
    """Yield sha, subject, author and time of commits, told by plumbing: what a user has set for `git log` is not read.

    Subjects may hold line ends of their own.
    """
    fields = ask_git(repository, "rev-list", _FIELDS, *arguments).split("\0")[:-1]
    for sha, subject, author, seconds in zip(*[iter(fields)] * 4, strict=True):
        yield sha.split("\n")[-1], " ".join(subject.split()), author, int(seconds)


def _attributes_above(repository: Path, sha: str, folder: str) -> str:
    """Return a hash of the attributes that count for `folder` and are not in its tree; empty when there are none."""
    above = (
        [] if folder == "." else [(parent / ".gitattributes").as_posix() for parent in PurePosixPath(folder).parents]
    )
    found = ask_git(repository, "ls-tree", "--full-tree", sha, "--", *above) if above else ""
    common = repository / ask_git(repository, "rev-parse", "--git-common-dir").removesuffix("\n")
    own = common / "info" / "attributes"
    content = found.encode() + (own.read_bytes() if own.is_file() else b"")
    return hashlib.sha256(content).hexdigest() if content.strip() else ""


def _is_bare(repository: Path) -> bool:
    try:
        return ask_git(repository, "rev-parse", "--is-bare-repository").strip() == "true"
    except CommandFailed:
        return False


def _object(repository: Path, name: str) -> str:
    """Return the hash of what `name` stands for, or nothing when there is no such thing."""
    try:
        return ask_git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", name).strip()
    except CommandFailed:
        return ""


def _known(repository: Path) -> str:
    """Return what a person could have meant."""
    refs = ("for-each-ref", "--sort=-committerdate", "--format=%(refname:short)", f"--count={SHOWN}")
    branches = ask_git(repository, *refs, "refs/heads", "refs/remotes").splitlines()
    if not _object(repository, "HEAD^{commit}"):
        return "nothing, there is no commit yet"
    commits = (f"{sha[:7]} {subject}" for sha, subject, *_ in _commits(repository, f"--max-count={SHOWN}", "HEAD"))
    return f"branches {', '.join(branches)}; last commits {'; '.join(commits)}"


def _check_owner(folder: Path) -> None:
    """Misconfigured when the repository above `folder` belongs to another user: git then does as if it were not one."""
    for parent in (folder.resolve(), *folder.resolve().parents):
        entry = parent / ".git"
        if entry.exists():
            owners = {path.stat().st_uid for path in (parent, entry)} - {os.geteuid()}
            if owners:
                raise Misconfigured(
                    str(parent),
                    f"belongs to another user (id {owners.pop()}), and git does not trust it",
                    f"a repository of the user Headway runs as (id {os.geteuid()})",
                    f"git config --global --add safe.directory '{parent}', as that user",
                )
            return

"""Repositories by what they were called: a folder of this machine, or an address that is fetched from."""

import hashlib
import os
import platform
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from filelock import FileLock

from delivery.errors import CommandFailed, Misconfigured, Transient
from delivery.programs import git
from delivery.programs.access import Access, way_of
from delivery.programs.git_command import ask_git
from delivery.programs.submodules import Repository

FETCH_SECONDS = 240
# What git-clone(1) calls a URL, and its scp-like syntax; a folder of this machine is neither.
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://.+|[\w.+-]+@[\w.-]+:.+", re.IGNORECASE)
# A token stands in place of a name often enough; where it is by SSH, a name alone is none.
PASSWORD = re.compile(r"^(https?://[^/@]*@|[a-z][a-z0-9+.-]*://[^/@]*:[^/@]*@)", re.IGNORECASE)
EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


AccessTo = Callable[[str], Access | None]


def as_anybody(_: str) -> Access | None:
    """Return no access: what git finds by itself is all there is."""
    return None


def is_address(repository: str) -> bool:
    """Whether it is named by a URL, and so is the same for all machines."""
    return ADDRESS.fullmatch(repository) is not None


def likely_name(address: str) -> str:
    """Return what the application of an address is probably called; nothing is fetched."""
    name = re.split(r"[/:#]", address.rstrip("/#"))[-1]
    return name.removesuffix(".git") or address


def open_project(project: str, cache: Path, access_to: AccessTo = as_anybody) -> tuple[str, str, Path]:
    """Return the repository of an application, the folder it has there, and where on this machine to look into it.

    `project` is a folder of this machine, or the address of a repository, which is fetched: its root, or
    `ADDRESS#FOLDER`.
    """
    if is_address(project):
        address, _, folder = project.partition("#")
        return address, PurePosixPath(folder).as_posix(), fetch(address, cache, access_to(address))
    application = Path(project).resolve()
    top = git.top_level(application)
    return str(top), application.relative_to(top).as_posix(), top


def find_repository(repository: str, sha: str, cache: Path, access_to: AccessTo = as_anybody) -> Path:
    """Return a repository on this machine that has the commit; an address is fetched when the commit is not here yet.

    Raises Misconfigured when `repository` is a folder that is not on this machine, or when the commit is not in it.
    """
    there = _copy_of(repository, cache) if is_address(repository) else Path(repository)
    if _has(there, sha):
        return there
    if not is_address(repository):
        raise _not_here(there, sha)
    access = access_to(repository)
    there = fetch(repository, cache, access)
    if not _has(there, sha):
        _fetch(there, repository, access, sha)  # of no branch any more
    return there


def fetch(address: str, cache: Path, access: Access | None = None, *more: str) -> Path:
    """Return a copy of the repository on this machine, with all its branches and tags, and `more`, as they are now."""
    if PASSWORD.match(address):
        raise Misconfigured(
            "repository",
            "its address holds a user or password",
            "an address without",
            "give it to git: git help credentials",
        )
    there = _copy_of(address, cache)
    there.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{there}.lock", timeout=2 * FETCH_SECONDS):
        if there.exists():
            _fetch(there, address, access, "--prune", *EVERYTHING)
        else:
            _clone(address, there, access)
        if more:
            _fetch(there, address, access, *more)
    return there


def default_commit(address: str, cache: Path, access: Access | None = None) -> str:
    """Return the newest commit of the default branch, which its HEAD names there; it is in the copy that was fetched.

    Raises Misconfigured where HEAD names no branch that is there.
    """
    there = _copy_of(address, cache)
    told = (line.split("\t") for line in _ask(there, address, access, "ls-remote", "--", address, "HEAD").splitlines())
    sha = next((found for found, name in told if name == "HEAD"), "")
    if not sha:
        step = "name one: in GitHub under Settings, General; elsewhere git symbolic-ref HEAD refs/heads/main, there"
        raise Misconfigured(f"repository {address}", "its HEAD names no branch", "a default branch with commits", step)
    if not _has(there, sha):  # it came after the rest was fetched, or is of no branch
        _fetch(there, address, access, sha)
    return sha


def _clone(address: str, there: Path, access: Access | None) -> None:
    """Make the copy: the whole of it, or nothing."""
    with TemporaryDirectory(dir=there.parent, prefix=".clone-") as temporary:
        made = Path(temporary) / "repository"
        _ask(there.parent, address, access, "clone", "--quiet", "--bare", "--", address, str(made))
        os.replace(made, there)


def _fetch(there: Path, address: str, access: Access | None, *wanted: str) -> None:
    options = [word for word in wanted if word.startswith("--")]
    names = [word for word in wanted if not word.startswith("--")]
    _ask(there, address, access, "fetch", "--quiet", *options, "--", address, *names)


def _ask(folder: Path, address: str, access: Access | None, *arguments: str) -> str:
    try:
        with way_of(access) as way:
            return ask_git(folder, *arguments, env=way.env, settings=way.settings, timeout_seconds=FETCH_SECONDS)
    except CommandFailed as error:
        raise Transient(f"{address} was not fetched: {error.last_lines}") from error


def _copy_of(address: str, cache: Path) -> Path:
    return cache / "repositories" / hashlib.sha256(address.encode()).hexdigest()[:16]


def _has(there: Path, sha: str) -> bool:
    try:
        return there.is_dir() and Repository.at(there).has(sha)
    except CommandFailed:
        return False


def _not_here(folder: Path, sha: str) -> Misconfigured:
    host = platform.node()
    if folder.is_dir():
        found, step = f"has no commit {sha[:7]} on {host}", f"git -C {folder} fetch, there"
    else:
        found = f"is not on {host}, where the run goes on"
        step = f"git clone it to {folder} there; or deliver it by its address: --param project=https://…"
    return Misconfigured(f"repository {folder}", found, "a repository that every machine of the platform has", step)

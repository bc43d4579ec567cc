"""The files of a revision as a checkout gives them: attributes, submodules and Git LFS included."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from delivery.errors import CommandFailed, Misconfigured, Rejected
from delivery.programs import lfs
from delivery.programs.git_command import ask_git
from delivery.programs.submodules import (
    GITLINK,
    SYMLINK,
    Entry,
    Repository,
    below,
    check_submodules,
    entries,
    find_submodule,
)

EXPORT_SECONDS = 240
SHOWN = 5
# The same commit gives the same files, whoever checks it out: what changes them stands in the repository.
SETTINGS = {
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.eol": "lf",
    "core.ignoreCase": "false",
    "core.safecrlf": "false",
    "core.sparseCheckout": "false",
    "core.symlinks": "true",
    "index.sparse": "false",
}


def check_sources(repository: Path, revision: str, folder: str) -> None:
    """Return when the commits of all submodules of the application are on this machine; Misconfigured otherwise."""
    check_submodules(Repository.at(repository), revision, folder)


def export(repository: Path, revision: str, folder: str, destination: Path) -> None:
    """Lay out `folder` as a checkout of the commit has it as `destination`: the whole of it, or nothing.

    Every file carries the commit's time, and whoever may read one may read all. Attributes of the whole repository
    count, submodules hold the files of their recorded commit, and files of Git LFS their content. `git archive` would
    leave out what is marked export-ignore, which tests often are. Raises Misconfigured when something is not on this
    machine and cannot be had.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=destination.parent, prefix=".export-") as temporary:
        tree = Path(temporary) / "tree"
        _check_out(Repository.at(repository), revision, folder, tree)
        wanted = tree / folder
        seconds = ask_git(repository, "rev-list", "--no-walk", "--format=%ct", revision).split()[-1]
        _make_alike(wanted, int(seconds))
        shutil.rmtree(destination, ignore_errors=True)
        os.replace(wanted, destination)


def _check_out(repository: Repository, commit: str, folder: str, tree: Path, *, outer: str = "") -> None:
    """Lay out what the commit has below `folder` in the new folder `tree`, at its own path."""
    tree.mkdir()
    env = {
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_DIR": str(repository.git_dir),
        "GIT_INDEX_FILE": f"{tree}.index",
        "GIT_WORK_TREE": str(tree),
    }
    found = entries(repository, commit, folder)
    _fetch_missing(repository, commit, folder)
    submodules = {entry: find_submodule(repository, commit, entry, outer=outer) for entry in _gitlinks(found)}
    ask_git(tree, "read-tree", commit, env=env, settings=SETTINGS)  # whole: attributes above the folder count
    large = lfs.find([e for e in found if e.mode not in (GITLINK, SYMLINK)], tree, env)
    lfs.check_installed(large, tree)
    if found:
        _write(commit, folder, tree, env, large)
    _check_complete(found, tree, commit)
    lfs.check_content(large, tree)
    for number, (entry, inner) in enumerate(submodules.items()):
        if inner:
            beside = tree.with_name(f"{tree.name}-{number}")
            _check_out(inner, entry.hash, ".", beside, outer=outer or entry.path)
            os.replace(beside, tree / entry.path)  # the empty folder that git leaves there


def _write(commit: str, folder: str, tree: Path, env: dict[str, str], large: Sequence[Entry]) -> None:
    settings = {**SETTINGS, **(lfs.SETTINGS if large else {})}
    try:
        ask_git(tree, "checkout", "--quiet", "--", folder, env=env, settings=settings, timeout_seconds=EXPORT_SECONDS)
    except CommandFailed as error:
        if not large:
            raise
        raise Misconfigured(
            f"revision {commit[:7]}",
            f"its files could not be laid out; {len(large)} of them are kept by Git LFS:\n{error.last_lines}",
            next_step=f"git lfs fetch origin {commit}; or git lfs push --all origin, where they were committed",
        ) from error


def _fetch_missing(repository: Repository, commit: str, folder: str) -> None:
    """Fetch what a partial clone lacks of the folder's files at once: `git checkout` does it one by one."""
    try:
        repository.ask("config", "--get-regexp", r"^(remote\..*\.promisor|extensions\.partialclone)$")
    except CommandFailed:
        return
    nothing = repository.ask("hash-object", "-t", "tree", os.devnull).strip()
    look = ("diff-tree", "-r", "--shortstat", "--no-renames", nothing, commit)
    repository.ask(*look, *below(folder), timeout_seconds=EXPORT_SECONDS)


def _gitlinks(found: list[Entry]) -> list[Entry]:
    return [entry for entry in found if entry.mode == GITLINK]


def _check_complete(found: list[Entry], tree: Path, commit: str) -> None:
    """Return when every file of the commit lies in `tree`; on a disk that ignores case two of them may be one."""
    expected = {entry.path for entry in found if entry.mode != GITLINK}
    there = {
        os.path.relpath(os.path.join(folder, name), tree)
        for folder, folders, names in os.walk(tree)
        for name in [*names, *(each for each in folders if os.path.islink(os.path.join(folder, each)))]
    }
    lost = sorted(expected - there)
    if lost:
        names = ", ".join(lost[:SHOWN]) + (f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else "")
        raise Rejected(
            f"the checkout of {commit[:7]} lacks {names}; is there a file of the same name in other letters?"
        )


def _make_alike(tree: Path, seconds: int) -> None:
    """Give everything the same time, and the modes git knows of: those of a checkout depend on the umask."""
    for folder, folders, names in os.walk(tree):
        for path in (os.path.join(folder, name) for name in [*names, *folders]):
            _set_mode_and_time(path, seconds)
    _set_mode_and_time(str(tree), seconds)


def _set_mode_and_time(path: str, seconds: int) -> None:
    mode = os.lstat(path).st_mode
    if not os.path.islink(path):
        os.chmod(path, 0o755 if mode & 0o100 else 0o644)
    os.utime(path, (seconds, seconds), follow_symlinks=False)

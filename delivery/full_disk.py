"""A home that cannot be written, told with its folder and what to do: full, read-only, or somebody else's."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from delivery.errors import CommandFailed, HeadwayError, Rejected
from delivery.home import Home

FULL_BYTES = 1_000_000  # SQLite and git need some pages before they say that there are none
PROBE_BYTES = 65_536
MOST_CAUSES = 20
_ABOUT_SPACE = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
_OWN = "give the folder to this user, or name another one in HEADWAY_HOME"
_ABOUT_RIGHTS = {
    errno.EROFS: ("it is mounted read-only", "mount it to be written, or name another folder in HEADWAY_HOME"),
    errno.EACCES: ("this user may not write there", _OWN),
    errno.EPERM: ("this user may not write there", _OWN),
    errno.ENOTDIR: ("a part of it is no folder", "name a folder in HEADWAY_HOME"),
}


def storage_trouble(error: BaseException, home: Home | None = None) -> Rejected | None:
    """Return what to tell of an error that a home which cannot be written causes; none when it has another cause.

    The cause may be another program's, which says so only in its own words: then it counts that the home is full.
    What Headway says in its own words is left as it is.
    """
    in_own_words = isinstance(error, HeadwayError) and not isinstance(error, CommandFailed)
    if in_own_words or not isinstance(error, Exception):  # a cancelled step is cancelled
        return None
    home = home or Home.current()
    for cause in _causes(error):
        if isinstance(cause, OSError) and (words := _words(cause, home)):
            return Rejected(words)
    full = full_home(home)
    return Rejected(f"{error}\n{full}") if full else None


def full_home(home: Home) -> str:
    """Return what to tell of a home without room, or nothing."""
    return _full(home.root, home) if is_full(home.root) else ""


def in_words(error: HeadwayError, home: Home | None = None) -> str:
    """Return the error's message, and that the home is full when it is: that may be the cause of any other."""
    text, full = str(error), full_home(home or Home.current())
    return f"{text}\n{full}" if full and "cannot be written" not in text else text


def check_home(home: Home) -> None:
    """Return when something can be written in the home and in what it shares, which are made; Rejected when not."""
    for folder in dict.fromkeys((home.root, home.state)):
        try:
            home.ensure()
            folder.mkdir(parents=True, exist_ok=True)
            _probe(folder)
        except OSError as error:
            plain = f"{folder} cannot be written: {error.strerror or error}\n  next: {_OWN}"
            raise Rejected(_words(error, home, folder) or plain) from error


def why_not_written(home: Home) -> str:
    """Return why nothing can be written in the home or in what it shares, or nothing; neither is made."""
    for folder in dict.fromkeys((home.root, home.state)):
        try:
            _probe(nearest(folder))
        except OSError as error:
            return _words(error, home, folder) or f"{folder} cannot be written: {error.strerror or error}"
    return ""


def _probe(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(PROBE_BYTES))
        file.flush()


def is_full(folder: Path) -> bool:
    """Whether the disk below the folder, or below what there is of it, has no room for anything."""
    return free_bytes(folder) < FULL_BYTES


def free_bytes(folder: Path) -> int:
    """Return how much this user may still write there."""
    return shutil.disk_usage(nearest(folder)).free


def nearest(folder: Path) -> Path:
    """Return the folder, or what there is of its parents; `Path.exists` raises where a folder cannot be read."""
    return next(path for path in (folder, *folder.parents) if os.path.exists(path))


def _words(error: OSError, home: Home, place: Path | None = None) -> str:
    """Return what to tell of an error of the system; nothing when it is not about storage, or not about the home."""
    named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    code = error.errno or 0
    if code in _ABOUT_SPACE:
        return _full(place or named or _fullest(home), home, _ABOUT_SPACE[code])
    place = place or named
    if code not in _ABOUT_RIGHTS or place is None:
        return ""
    reason, step = _ABOUT_RIGHTS[code]
    if not place.is_relative_to(home.root):
        if not place.is_relative_to(home.state):
            return ""
        step = step.replace("HEADWAY_HOME", "HEADWAY_STORE")
    return f"{place} cannot be written: {reason}\n  next: {step}"


def _full(place: Path, home: Home, reason: str = _ABOUT_SPACE[errno.ENOSPC]) -> str:
    folder = home.root if place.is_relative_to(home.root) else place
    step = f"free space in {folder}"
    if folder == home.root:
        step += " (logs/ and cache/ may be removed at any time), or name a larger folder in HEADWAY_HOME"
    return f"{place} cannot be written: {reason} ({free_bytes(place) / 1e6:.1f} MB left)\n  next: {step}"


def _fullest(home: Home) -> Path:
    """Return where it was that an error without a place met no room."""
    return min((home.root, Path(tempfile.gettempdir())), key=free_bytes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__

"""The reports a suite leaves in its container, copied out of it by a glob."""

import hashlib
import io
import posixpath
import tarfile
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from docker.models.containers import Container

from delivery.docker.engine.paths import FOLDER, LINK, archive_of, moment_seconds, stat_of
from delivery.globs import Glob
from delivery.ports.jobs import MAX_REPORT_BYTES, Reports

MAX_LINKS = 200
LONGEST_NAME = 120


def copy_out(container: Container, pattern: str, folder: Path, *, limit: int = MAX_REPORT_BYTES) -> Reports:
    """Copy the container's files that match the glob `pattern` to `folder`.

    A relative pattern starts at the container's working directory. Links are followed, to files as to folders. What
    is older than the container came with its image and is left: the suite did not write it. Above `limit` bytes in
    all nothing more is copied, and `problem` says so.
    """
    whole = posixpath.normpath(posixpath.join("/", container.attrs["Config"].get("WorkingDir") or "/", pattern))
    search = _Search(container, Glob(PurePosixPath(whole)), folder, limit)
    search.run()
    search.leave_older()
    search.found.names.sort()
    search.found.looked = search.looked()
    return search.found


@dataclass
class _Search:
    """A walk through the container's files: each folder is one archive that the engine streams."""

    container: Container
    glob: Glob
    folder: Path
    limit: int
    found: Reports = field(default_factory=Reports)
    taken: int = 0
    seen: set[tuple[PurePosixPath, int]] = field(default_factory=set)
    copied: set[PurePosixPath] = field(default_factory=set)
    doubtful: dict[str, PurePosixPath] = field(default_factory=dict)
    ahead: deque[tuple[PurePosixPath, PurePosixPath]] = field(default_factory=deque)
    start: dict[str, Any] | None = None

    def run(self) -> None:
        """Copy everything; `ahead` holds what is left: the path a user sees, and where that really is."""
        self.start = stat_of(self.container, self.glob.start)
        self.ahead.append((self.glob.start, self.glob.start))
        followed = 0
        while self.ahead and not self.found.problem:
            path, real = self.ahead.popleft()
            about = self.start if path == self.glob.start else stat_of(self.container, real)
            if about and int(about["mode"]) & LINK:
                real = PurePosixPath(about["linkTarget"])
                followed += 1
            depth = 0 if self.glob.crosses_folders(path) else len(path.parts)
            if about is None or (real, depth) in self.seen:
                continue
            self.seen.add((real, depth))
            if followed > MAX_LINKS:
                where = f"more than {MAX_LINKS} links lie below {self.glob.start}"
                self.found.problem = f"{where}; next: name the folder of the reports in `junit`"
                return
            self._read(path, real)

    def looked(self) -> str:
        """Return what was looked for, and what stands in the way of it."""
        start, text = self.glob.start, f"looked for {self.glob.pattern}"
        if self.found.stale:
            return f"{text}: {self.found.stale[0]} is older than the cell, it came with the image"
        if self.start is None:
            return f"{text}: there is no {start}"
        if start == self.glob.pattern and int(self.start["mode"]) & FOLDER:
            return f"{text}, which is a folder: write {start}/*.xml"
        mounts = self.container.attrs["HostConfig"].get("Tmpfs") or {}
        if held := next((one for one in mounts if start.is_relative_to(one)), ""):
            return f"{text}: {held} is in memory, and empty when the container has ended"
        return text

    def _read(self, path: PurePosixPath, real: PurePosixPath) -> None:
        with archive_of(self.container, real) as archive:
            for entry in archive or ():
                inside = PurePosixPath(*PurePosixPath(entry.name).parts[1:]) if real.name else PurePosixPath(entry.name)
                self._look_at(archive, entry, path / inside, real / inside)
                if self.found.problem:
                    return

    def _look_at(
        self, archive: tarfile.TarFile | None, entry: tarfile.TarInfo, path: PurePosixPath, real: PurePosixPath
    ) -> None:
        matches = self.glob.matches(path)
        if entry.issym():
            target = PurePosixPath(posixpath.normpath(posixpath.join(real.parent, entry.linkname)))
            found_by_itself = self.glob.crosses_folders(path) and target.is_relative_to(self.glob.start)
            if matches or (self.glob.may_hold(path) and not found_by_itself):
                self.ahead.append((path, real))
        elif matches and entry.islnk():  # the archive holds what it names under another name, which may not match
            self.ahead.append((path, real))
        elif matches and entry.isfile() and archive is not None:
            self._take(archive, entry, path, real)

    def _take(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, path: PurePosixPath, real: PurePosixPath) -> None:
        if real in self.copied:
            return
        self.copied.add(real)
        created = int(moment_seconds(self.container.attrs["Created"]))
        if entry.mtime < created:
            self.found.stale.append(_printable(str(path)))
            return
        self.taken += entry.size
        if self.taken > self.limit:
            size = f"{_printable(str(path))} has {entry.size / 1e6:.1f} MB, with it the reports have more than"
            next_step = "keep output of tests out of the report, or name fewer files in `junit`"
            self.found.problem = f"{size} the {self.limit / 1e6:.0f} MB that are read; next: {next_step}"
            return
        inside = path.relative_to(self.glob.start) if path != self.glob.start else PurePosixPath(path.name)
        name = self._free(_printable(str(inside)))
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        content = archive.extractfile(entry) or io.BytesIO()
        target.write_bytes(content.read())
        self.found.names.append(name)
        if int(entry.mtime) == created:
            self.doubtful[name] = real

    def leave_older(self) -> None:
        """Leave files of the second in which the container was made, when they are older: archives know no more.

        Not while an archive is read: the engine answers no question about a container whose files it streams.
        """
        created = moment_seconds(self.container.attrs["Created"])
        for name, real in self.doubtful.items():
            about = stat_of(self.container, real)
            if about and moment_seconds(about["mtime"]) < created:
                self.found.names.remove(name)
                self.found.stale.append(_printable(str(real)))
                (self.folder / name).unlink()

    def _free(self, name: str) -> str:
        """Return `name`, or one like it when it is taken."""
        path, number = PurePosixPath(name), 1
        while name in self.found.names:
            number += 1
            name = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
        return name


def _printable(path: str) -> str:
    """Return a path as text that can be written down anywhere; what cannot is written as its bytes."""
    return "/".join(_part(part) for part in path.split("/"))


def _part(name: str) -> str:
    plain = "".join(
        char if char.isprintable() else "".join(f"%{byte:02X}" for byte in char.encode(errors="surrogateescape"))
        for char in name
    )
    if len(plain) <= LONGEST_NAME:
        return plain
    mark, suffix = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:12], PurePosixPath(plain).suffix
    return f"{plain[: LONGEST_NAME - 40]}-{mark}{suffix[:20]}"

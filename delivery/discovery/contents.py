"""What a build stage holds: where files of the context lie in it."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from delivery.discovery.dockerfiles import Dockerfile, Instruction, Stage
from delivery.discovery.folders import is_folder, is_left_out_of_build


@dataclass(frozen=True)
class Copy:
    """One COPY or ADD: sources without a leading or closing slash, and the folder or file they go to."""

    sources: tuple[str, ...]
    destination: str
    into_folder: bool
    origin: str  # the stage or image they come from; empty: the context

    def place(self, where: str, context: Path | None) -> str | None:
        """Return where `where`, a path of the origin, lies after it; none when it is not among the sources."""
        for source in self.sources:
            rest = _rest(where, source)
            if rest is None:
                continue
            name = posixpath.basename(source)
            is_file = not rest and context is not None and not is_folder(context / source)
            if "*" in source or (is_file and self.into_folder):
                rest = posixpath.join(posixpath.basename(where) if "*" in source else name, "" if is_file else rest)
            return posixpath.normpath(posixpath.join(self.destination, rest))
        return None


@dataclass(frozen=True)
class Build:
    """A Dockerfile with the context it is built in."""

    file: Dockerfile
    path: Path
    context: Path

    def place(self, stage: Stage, where: str) -> str | None:
        """Return where `where`, relative to the context, lies in `stage`; none when it is not copied there."""
        if is_left_out_of_build(self.context, self.path, where):
            return None
        return self._place(stage, posixpath.normpath(where), 0)

    def _place(self, stage: Stage, where: str, deep: int) -> str | None:
        if deep > len(self.file.stages) + 1:
            return None
        for at, copy in reversed(list(copies(self.file, stage))):
            if not copy.origin:
                found = copy.place(where, self.context)
            else:
                origin = self.file.before(copy.origin, at)
                source = self._place(origin, where, deep + 1) if origin else None
                found = copy.place(source.strip("/"), None) if source else None
            if found:
                return found
        return None

    def holds(self, stage: Stage, where: str) -> bool:
        """Whether `where`, relative to the context, is in `stage`."""
        return self.place(stage, where) is not None


def copies(file: Dockerfile, stage: Stage) -> Iterator[tuple[Stage, Copy]]:
    """Yield every COPY that `stage` is made of with the stage it stands in, in order."""
    workdir = "/"
    for one in file.chain(stage):
        for instruction in one.instructions:
            if instruction.keyword == "WORKDIR":
                workdir = posixpath.join(workdir, instruction.value.strip("\"'"))
            elif instruction.keyword in ("COPY", "ADD") and (copy := _copy(instruction, workdir)):
                yield one, copy


def workdir_of(instructions: list[Instruction]) -> str:
    """Return the folder an image starts in."""
    found = "/"
    for instruction in instructions:
        if instruction.keyword == "WORKDIR":
            found = posixpath.join(found, instruction.value.strip("\"'"))
    return posixpath.normpath(found)


def sources_of(file: Dockerfile) -> list[str]:
    """Return what the Dockerfile wants of its context by name: not everything, and nothing with a `*` or a variable."""
    found = [
        source
        for stage in file.stages
        for _, copy in copies(Dockerfile(file.stages), stage)
        for source in copy.sources
        if not copy.origin
    ]
    named = dict.fromkeys(
        source for source in found if source not in (".", "") and not re.search(r"[*?\[$]|^\.\.", source)
    )
    return [source for source in named if "://" not in source]


def copies_everything(file: Dockerfile) -> bool:
    """Whether some stage copies the whole context."""
    return any("." in copy.sources and not copy.origin for stage in file.stages for _, copy in copies(file, stage))


def _copy(instruction: Instruction, workdir: str) -> Copy | None:
    words = [word for word in instruction.words() if not word.startswith("--")]
    if len(words) < 2 or "<<" in words[0]:
        return None
    *sources, destination = words
    cleaned = tuple(posixpath.normpath(source.strip("/") or ".") for source in sources)
    into = destination.endswith("/") or destination in (".", "..") or len(sources) > 1
    return Copy(cleaned, posixpath.join(workdir, destination), into, instruction.options.get("from", ""))


def _rest(where: str, source: str) -> str | None:
    """Return `where` seen from `source`, or none when it is not below it."""
    if source == ".":
        return where
    if "*" in source:
        pattern = re.escape(source).replace(r"\*", "[^/]*")
        return "" if re.fullmatch(pattern, where) else None
    if where == source:
        return ""
    return where[len(source) + 1 :] if where.startswith(f"{source}/") else None

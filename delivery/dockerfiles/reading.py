"""What a Dockerfile starts from, read by the parser that BuildKit itself uses.

What it cannot read is left to the engine, which says what is wrong, or knows more.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from delivery.dockerfiles.parsing import BOM, commands, directives
from delivery.dockerfiles.variables import NotUnderstood, expand
from delivery.errors import Misconfigured

_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386"}
_DEFAULTS = {("arm64", "v8"), ("arm64", "8"), ("arm", "v7"), ("amd64", "v1")}


@dataclass(frozen=True)
class Instruction:
    """One instruction: where it stands, counted from 0, and what the parser made of it."""

    keyword: str
    first: int
    last: int
    flags: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """An image or stage that a flag like `--from=` names."""

    name: str
    flag: str
    at: Instruction


@dataclass
class Stage:
    """From one FROM to the next."""

    index: int
    name: str
    image: str
    at: Instruction
    is_foreign: bool
    sources: list[Source] = field(default_factory=list)
    triggers: list[Source] = field(default_factory=list)
    runs: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile that was understood."""

    text: str
    stages: tuple[Stage, ...]

    def bases(self, target: str | None = None) -> list[str]:
        """Return the images that building `target` needs from outside, each once, in order of appearance.

        Not among them: stages for another kind of machine, whose images only a registry has. Raises Misconfigured
        for a stage that does not exist.
        """
        found: dict[str, None] = {}
        for stage in (self.stages[index] for index in sorted(self._needed(target))):
            if self.parent(stage) is None and stage.image != "scratch" and not stage.is_foreign:
                found[stage.image] = None
            for source in self.sources(stage):
                if self.stage_of(source, stage) is None:
                    found[source.name] = None
        return list(found)

    def parent(self, stage: Stage) -> int | None:
        """Return the stage that `stage` starts from, which stands before it, or none when that is an image."""
        return self._index(stage.image, stage.index, numbers=False)

    def stage_of(self, source: Source, user: Stage) -> int | None:
        """Return the stage that `source` means, or none when it means an image."""
        found = self._index(source.name, len(self.stages), numbers=True)
        return None if found == user.index and not source.name.isdigit() else found

    def sources(self, stage: Stage) -> list[Source]:
        """Return what `stage` takes from, with what the stage it starts from left to it by ONBUILD."""
        parent = self.parent(stage)
        return stage.sources + (self.stages[parent].triggers if parent is not None else [])

    def _needed(self, target: str | None) -> set[int]:
        last = len(self.stages) - 1 if target is None else self._index(target, len(self.stages), numbers=True)
        if last is None or last < 0:
            names = ", ".join(stage.name or str(stage.index) for stage in self.stages)
            raise Misconfigured(
                "Dockerfile", f"no stage {target or 'at all'}", names or "a Dockerfile with a FROM line"
            )
        needed, waiting = set[int](), [last]
        while waiting:
            stage = self.stages[waiting.pop()]
            needed.add(stage.index)
            sources = (self.stage_of(source, stage) for source in self.sources(stage))
            waiting += [one for one in (self.parent(stage), *sources) if one is not None and one not in needed]
        return needed

    def _index(self, name: str, before: int, *, numbers: bool) -> int | None:
        """Return the stage a name or number means; the later one when a name is given twice."""
        for stage in reversed(self.stages[:before]):
            if (numbers and name == str(stage.index)) or (stage.name and stage.name.lower() == name.lower()):
                return stage.index
        return None


def read(text: str, build_args: Mapping[str, str] = {}, platform: str = "linux/amd64") -> Dockerfile:
    """Return what `text` says when it is built with these arguments on an engine of this platform.

    Raises NotUnderstood for what is left to the engine, Misconfigured for a FROM whose build argument has no value.
    """
    if "\0" in text:
        raise NotUnderstood("a NUL character")
    plain = text.removeprefix(BOM)
    escape = "`" if ("escape", "`") in directives(plain) else "\\"
    stages: list[Stage] = []
    values = {**_platform_values(platform), **build_args}
    for command in commands(plain):
        instruction = _instruction(command)
        if instruction.keyword == "FROM":
            stages.append(_stage(len(stages), instruction, values, platform, escape))
        elif instruction.keyword == "ARG" and not stages:
            _declare(instruction, values, build_args, escape)
        elif stages:
            _add_to(stages[-1], instruction, command.original)
    return Dockerfile(plain, tuple(stages))


def mount_fields(flag: str) -> list[str]:
    """Return the fields of a `--mount=` flag, which are separated as in a CSV file."""
    return next(csv.reader([flag.partition("=")[2]]), [])


def _instruction(command: Any) -> Instruction:
    return Instruction(
        command.cmd.upper(),
        command.start_line - 1,
        command.end_line - 1,
        tuple(command.flags),
        tuple(command.value),
    )


def _stage(index: int, at: Instruction, values: Mapping[str, str], platform: str, escape: str) -> Stage:
    words = at.words
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise NotUnderstood(f"FROM {' '.join(words)}")
    image = expand(words[0], values, escape)
    if not image:
        raise Misconfigured(
            f"Dockerfile line {at.first + 1}",
            f"FROM {words[0]}: the build argument has no value",
            next_step="give it a default in the Dockerfile, or a value under `build_args:` in headway.yaml",
        )
    named = [expand(flag.partition("=")[2], values, escape) for flag in at.flags if flag.startswith("--platform=")]
    foreign = any(_normal(one) != _normal(platform) for one in named)
    return Stage(index, words[2] if len(words) == 3 else "", image, at, foreign)


def _normal(platform: str) -> str:
    """Return a platform by the name that containerd gives it: `x86_64` and `linux/amd64` are one."""
    parts = platform.lower().split("/")
    system, rest = ("linux", parts) if len(parts) == 1 else (parts[0], parts[1:])
    architecture = _ARCHITECTURES.get(rest[0], rest[0])
    variant = [one for one in rest[1:] if (architecture, one) not in _DEFAULTS]
    return "/".join([system, architecture, *variant])


def _declare(at: Instruction, values: dict[str, str], build_args: Mapping[str, str], escape: str) -> None:
    """Add the arguments of an ARG before the first FROM."""
    for word in at.words:
        name, equals, default = word.partition("=")
        if equals and name not in build_args:
            values[name] = expand(default, values, escape)


def _add_to(stage: Stage, at: Instruction, original: str) -> None:
    if at.keyword == "RUN":
        stage.runs.append(at)
    if at.keyword in ("RUN", "COPY", "ADD"):
        stage.sources += _sources_of(at.flags, at)
    elif at.keyword == "ONBUILD":
        inner = commands(re.sub(r"(?i)^\s*ONBUILD\s+", "", original))[0]
        stage.triggers += _sources_of(tuple(inner.flags), at)


def _sources_of(flags: tuple[str, ...], at: Instruction) -> Iterator[Source]:
    for flag in flags:
        names = []
        if flag.startswith("--from="):
            names = [flag.removeprefix("--from=")]
        elif flag.startswith("--mount="):
            names = [one.partition("=")[2] for one in mount_fields(flag) if one.lower().startswith("from=")]
        for name in names:
            if "$" in name:
                raise NotUnderstood(f"{flag}: a variable")
            if name:
                yield Source(name, flag, at)


def _platform_values(platform: str) -> dict[str, str]:
    """Return the arguments that BuildKit sets by itself before the first FROM."""
    system, _, rest = platform.partition("/")
    architecture, _, variant = rest.partition("/")
    values = {"PLATFORM": platform, "OS": system, "ARCH": architecture, "VARIANT": variant}
    return {f"{side}{name}": value for side in ("BUILD", "TARGET") for name, value in values.items()}

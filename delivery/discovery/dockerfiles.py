"""A Dockerfile as far as a first file needs it; what is not understood is passed over, the engine reads it itself."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from delivery.discovery.folders import read
from delivery.dockerfiles.parsing import commands
from delivery.dockerfiles.variables import NotUnderstood

_HEREDOC = re.compile(r"<<-?\s*[\"']?([A-Za-z_]\w*)[\"']?")
_REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?([-+])([^}]*))?\})")
_FROM = re.compile(r"^(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?", re.IGNORECASE)
_OPTION = re.compile(r"--([a-z-]+)(?:=(\S+))?\s+")
ODD_PORTS = {22, 25, 443, 2112, 5005, 5432, 8443, 9090, 9229, 9464, 9998, 9999, 35729}
_TEST_STAGES = re.compile(r"^(unit|integration|e2e|run)?[-_]?(tests?|testing|ci|pytest|jest|vitest|spec)([-_].*)?$")
_SIDE_STAGES = re.compile(
    r"^((dev|devel|development|debug|local|lint|linter|docs?|check|checks)([-_].*)?|.*[-_](dev|lint))$"
)
_READER_MARK = "\\"


@dataclass(frozen=True)
class Instruction:
    """One instruction: its keyword in capitals, its options, and the rest."""

    keyword: str
    value: str
    options: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> list[str]:
        """Return the words of the rest: of the JSON form, or split as a shell does."""
        return as_list(self.value) or _split(self.value)

    def command(self) -> list[str]:
        """Return what the engine would run: the shell's form goes through a shell."""
        return as_list(self.value) or (["sh", "-c", self.value] if self.value and self.value != "[]" else [])


@dataclass(frozen=True)
class Stage:
    """A build stage; `base` is what it starts from, an image or an earlier stage."""

    index: int
    name: str
    base: str
    instructions: tuple[Instruction, ...]

    @property
    def is_for_tests(self) -> bool:
        """Whether its name says that tests run in it."""
        return bool(_TEST_STAGES.match(self.name))

    @property
    def is_aside(self) -> bool:
        """Whether its name says that it is not what runs in production."""
        return self.is_for_tests or bool(_SIDE_STAGES.match(self.name))

    @property
    def target(self) -> str:
        """How a build names it."""
        return self.name or str(self.index)


@dataclass(frozen=True)
class Dockerfile:
    """The stages of a Dockerfile, in order."""

    stages: tuple[Stage, ...]

    def stage(self, target: str | None = None) -> Stage | None:
        """Return the stage called so, or the last one."""
        if target is None:
            return self.stages[-1] if self.stages else None
        found = [one for one in self.stages if target.lower() in (one.name, str(one.index))]
        return found[-1] if found else None

    def released(self) -> Stage | None:
        """Return the stage that production runs: the last one whose name does not say otherwise."""
        found = [one for one in self.stages if not one.is_aside]
        return found[-1] if found else self.stage()

    def chain(self, stage: Stage) -> list[Stage]:
        """Return the stages that `stage` is made of, the first one first."""
        chain = [stage]
        while (before := self.before(chain[0].base, chain[0])) is not None:
            chain.insert(0, before)
        return chain

    def before(self, name: str, stage: Stage) -> Stage | None:
        """Return the earlier stage a name or number means in `stage`."""
        earlier = self.stages[: stage.index]
        return next((one for one in reversed(earlier) if name.lower() in (one.name, str(one.index))), None)

    def instructions(self, stage: Stage) -> list[Instruction]:
        """Return everything that `stage` is made of."""
        return [instruction for one in self.chain(stage) for instruction in one.instructions]

    def base(self, stage: Stage) -> str:
        """Return the image from outside that `stage` starts from."""
        return self.chain(stage)[0].base


def read_dockerfile(path: Path, build_args: Mapping[str, str] | None = None) -> Dockerfile:
    """Return what the file says, with build arguments in the place of their names."""
    return parse(read(path), build_args or {})


def parse(text: str, build_args: Mapping[str, str] | None = None) -> Dockerfile:
    """Return what `text` says; anything is a Dockerfile here, maybe one without a stage."""
    given = build_args or {}
    stages: list[Stage] = []
    globals_: dict[str, str] = {}
    values: dict[str, str] = {}
    for keyword, rest in _lines(text):
        if keyword == "FROM" and (match := _FROM.match(rest)):
            base = expand(match[1], globals_)
            stages.append(Stage(len(stages), (match[2] or "").lower(), base, ()))
            before = Dockerfile(tuple(stages)).chain(stages[-1])[:-1]
            values = dict(globals_) | {k: v for one in before for k, v in environment([*one.instructions]).items()}
        elif keyword == "ARG":
            for name, default in _pairs(rest):
                known = values if stages else globals_
                known[name] = given.get(name, expand(default, known) if default is not None else globals_.get(name, ""))
        elif stages:
            instruction = _instruction(keyword, rest, values)
            values |= dict(environment([instruction]))
            last = stages[-1]
            stages[-1] = Stage(last.index, last.name, last.base, (*last.instructions, instruction))
    return Dockerfile(tuple(stages))


def environment(instructions: list[Instruction]) -> dict[str, str]:
    """Return the variables that ENV sets."""
    found: dict[str, str] = {}
    for instruction in instructions:
        if instruction.keyword == "ENV":
            found |= {name: value or "" for name, value in _pairs(instruction.value)}
    return found


def exposed_port(instructions: list[Instruction]) -> int | None:
    """Return the port that takes requests: the first TCP one that is not known for something else."""
    ports = []
    for instruction in instructions:
        for word in instruction.value.split() if instruction.keyword == "EXPOSE" else ():
            number, _, protocol = word.partition("/")
            if protocol.lower() in ("", "tcp") and (port := as_port(number.partition("-")[0])):
                ports.append(port)
    return next((port for port in ports if port not in ODD_PORTS), ports[0] if ports else None)


def last_of(instructions: list[Instruction], keyword: str) -> Instruction | None:
    """Return the last instruction of a kind, which is the one that counts."""
    return next((one for one in reversed(instructions) if one.keyword == keyword), None)


def started_as(instructions: list[Instruction]) -> tuple[list[str], list[str]]:
    """Return entry point and command; a CMD before the ENTRYPOINT counts as well, as in one file it does."""
    entrypoint, command = last_of(instructions, "ENTRYPOINT"), last_of(instructions, "CMD")
    return (entrypoint.command() if entrypoint else [], command.command() if command else [])


def as_port(text: object) -> int | None:
    """Return a port number, or none."""
    digits = str(text).strip().strip("\"'")
    return int(digits) if digits.isascii() and digits.isdigit() and 1 <= int(digits[:6]) <= 65535 else None


def as_list(text: str) -> list[str]:
    """Return the words of an instruction's JSON form; none when it has another."""
    if not text.startswith("["):
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [str(one) for one in found] if isinstance(found, list) and all(isinstance(one, str) for one in found) else []


def expand(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with `$NAME`, `${NAME:-default}` and `${NAME:+word}` filled in; unknown ones are empty."""

    def value_of(match: re.Match[str]) -> str:
        value = values.get(match[1] or match[2], "")
        if match[3] == "+":
            return match[4] if value else ""
        return value or (match[4] or "" if match[3] == "-" else "")

    return _REFERENCE.sub(value_of, text)


def _instruction(keyword: str, rest: str, values: Mapping[str, str]) -> Instruction:
    if keyword in ("EXPOSE", "ENV", "COPY", "ADD", "WORKDIR", "USER"):
        rest = expand(rest, values)
    options: dict[str, str] = {}
    while keyword in ("COPY", "ADD", "RUN", "HEALTHCHECK") and (match := _OPTION.match(rest)):
        options[match[1]] = match[2] or ""
        rest = rest[match.end() :]
    return Instruction(keyword, rest, options)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield keyword and rest of each instruction; of a file that the engine would refuse, as far as it goes."""
    try:
        found = commands(text)
    except NotUnderstood:
        yield from _lines_as_they_stand(text)
    else:
        for one in found:
            yield one.cmd.upper(), one.original.strip()[len(one.cmd) :].strip()


def _lines_as_they_stand(text: str) -> Iterator[tuple[str, str]]:
    """Yield keyword and rest of each instruction, on one line; a heredoc's text belongs to its instruction."""
    lines = text.splitlines()
    mark = "`" if re.match(r"(?:#.*\n)*#\s*escape\s*=\s*`", text, re.IGNORECASE) else _READER_MARK
    number = 0
    while number < len(lines):
        parts, more = list[str](), True
        while more and number < len(lines):
            line = lines[number].strip()
            number += 1
            if line.startswith("#") or (not line and parts):
                continue
            more = line.endswith(mark)
            parts.append(line.removesuffix(mark).strip())
        keyword, _, rest = re.sub(r"\s+", " ", " ".join(parts), count=1).strip().partition(" ")
        if keyword.upper() in ("RUN", "COPY", "ADD"):
            for end in _HEREDOC.findall(rest):
                length = next((i for i, line in enumerate(lines[number:]) if line.strip() == end), None)
                if length is not None:
                    rest = "\n".join([rest, *lines[number : number + length]])
                    number += length + 1
        if keyword:
            yield keyword.upper(), rest.strip()


def _pairs(text: str) -> list[tuple[str, str | None]]:
    """Return what ENV or ARG sets: `a=b c="d e"`, or the old `ENV a b`."""
    words = _split(text)
    if words and "=" not in words[0] and len(words) > 1:
        return [(words[0], " ".join(words[1:]))]
    return [(name, value if sign else None) for name, sign, value in (word.partition("=") for word in words)]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()

"""What a Dockerfile starts from, and the same Dockerfile starting from something else."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from delivery.errors import Misconfigured

_DIRECTIVE = re.compile(r"^#\s*(syntax|escape|check)\s*=\s*(\S+)\s*$", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?\s*[\"']?([A-Za-z_]\w*)[\"']?")
_REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:[-+])([^}]*))?\})")
_ARGUMENT = re.compile(r"(\w+)(?:=(\"[^\"]*\"|'[^']*'|\S*))?")
_FROM = re.compile(r"^(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?\s*$", re.IGNORECASE)
_OTHER_SOURCE = re.compile(r"(?:--from=|--mount=\S*\bfrom=)([^\s,]+)")


@dataclass
class _Instruction:
    keyword: str
    value: str
    first: int
    last: int


@dataclass
class _Stage:
    name: str
    token: str
    image: str
    at: _Instruction
    sources: list[tuple[str, _Instruction]] = field(default_factory=list)

    def starts_from(self) -> list[str]:
        return [self.image, *(source for source, _ in self.sources)]


def external_bases(text: str, build_args: Mapping[str, str] = {}, target: str | None = None) -> list[str]:
    """Return the images that building `target` needs from outside, each once, in order of appearance.

    Raises Misconfigured for a stage that does not exist or a FROM whose build argument has no value.
    """
    stages = _stages(text, build_args)
    found: dict[str, None] = {}
    for index in sorted(_needed(stages, target)):
        for name in stages[index].starts_from():
            if _stage_index(stages[:index], name) is None and name != "scratch":
                found[name] = None
    return list(found)


def rewrite(text: str, build_args: Mapping[str, str], used: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the Dockerfile and the build arguments that make it start from `used[image]` for every image in it.

    A FROM that is one build argument keeps its line and gets the argument. `# syntax=` is dropped: it names an
    image as well, one that only a registry has.
    """
    lines, stages, extra = text.splitlines(keepends=True), _stages(text, build_args), dict[str, str]()
    for index, stage in enumerate(stages):
        if _stage_index(stages[:index], stage.image) is None and used.get(stage.image, stage.image) != stage.image:
            argument = _whole_argument(stage.token, stages)
            if argument:
                extra[argument] = used[stage.image]
            else:
                _replace(lines, stage.at, rf"(?<=\s){re.escape(stage.token)}(?=\s|$)", used[stage.image])
        for source, at in stage.sources:
            if _stage_index(stages[:index], source) is None and source in used:
                _replace(lines, at, rf"(?<=from=){re.escape(source)}(?=[\s,]|$)", used[source])
    head = _directives(lines)
    kept = [line for number, line in enumerate(lines) if number >= len(head) or head[number] != "syntax"]
    return "".join(kept), extra


def _stages(text: str, build_args: Mapping[str, str]) -> list[_Stage]:
    stages: list[_Stage] = []
    values: dict[str, str] = {}
    for instruction in _instructions(text):
        if instruction.keyword == "ARG" and not stages:
            for name, default in _ARGUMENT.findall(instruction.value):
                values[name] = build_args.get(name, _expand(default.strip("\"'"), values, instruction))
        elif instruction.keyword == "FROM" and (match := _FROM.match(instruction.value)):
            image = _expand(match[1], values, instruction)
            stages.append(_Stage(match[2] or "", match[1], image, instruction))
        elif stages and instruction.keyword in ("COPY", "RUN"):
            stages[-1].sources += [(source, instruction) for source in _OTHER_SOURCE.findall(instruction.value)]
    return stages


def _needed(stages: list[_Stage], target: str | None) -> set[int]:
    last = len(stages) - 1 if target is None else _stage_index(stages, target)
    if last is None or last < 0:
        names = ", ".join(stage.name or str(index) for index, stage in enumerate(stages))
        raise Misconfigured("Dockerfile", f"no stage {target or 'at all'}", names or "a Dockerfile with a FROM line")
    needed, waiting = set[int](), [last]
    while waiting:
        index = waiting.pop()
        needed.add(index)
        before = (_stage_index(stages[:index], name) for name in stages[index].starts_from())
        waiting += [found for found in before if found is not None and found not in needed]
    return needed


def _stage_index(stages: list[_Stage], name: str) -> int | None:
    """Return the stage a name or number means; the later one when a name is given twice."""
    for index in reversed(range(len(stages))):
        if name == str(index) or (stages[index].name and stages[index].name.lower() == name.lower()):
            return index
    return None


def _whole_argument(token: str, stages: list[_Stage]) -> str | None:
    """Return the argument `token` consists of, unless another FROM builds a longer name from it."""
    match = _REFERENCE.fullmatch(token)
    if match is None or match[3] == ":+":
        return None
    name = match[1] or match[2]
    elsewhere = (stage.token for stage in stages if stage.token != token)
    return (
        None
        if any(name in (found[1], found[2]) for other in elsewhere for found in _REFERENCE.finditer(other))
        else name
    )


def _expand(token: str, values: Mapping[str, str], at: _Instruction) -> str:
    def value_of(match: re.Match[str]) -> str:
        name, operator, word = match[1] or match[2], match[3], match[4]
        value = values.get(name, "")
        if operator == ":+":
            return str(word) if value else ""
        return value or (word if operator == ":-" else "")

    expanded = _REFERENCE.sub(value_of, token)
    if at.keyword == "FROM" and not expanded:
        raise Misconfigured(
            f"Dockerfile line {at.first + 1}",
            f"FROM {token}: the build argument has no value",
            next_step="give it a default in the Dockerfile, or a value under `build_args:` in headway.yaml",
        )
    return expanded


def _replace(lines: list[str], at: _Instruction, pattern: str, replacement: str) -> None:
    whole = "".join(lines[at.first : at.last + 1])
    changed = re.sub(pattern, lambda _: replacement, whole, count=1).splitlines(keepends=True)
    lines[at.first : at.last + 1] = changed


def _instructions(text: str) -> Iterator[_Instruction]:
    lines = text.splitlines()
    escape = "`" if any(name == "escape" and "`" in lines[i] for i, name in enumerate(_directives(lines))) else "\\"
    number = 0
    while number < len(lines):
        first, parts, more = number, list[str](), True
        while more and number < len(lines):
            line = lines[number].strip()
            if line and not line.startswith("#"):
                more = line.endswith(escape)
                parts.append(line.removesuffix(escape))
            elif not parts:
                more = False
            number += 1
        keyword, _, value = " ".join(parts).strip().partition(" ")
        last = number - 1
        if keyword.upper() in ("RUN", "COPY", "ADD"):
            for end in _HEREDOC.findall(value):
                while number < len(lines) and lines[number].strip("\t") != end:
                    number += 1
                number += 1
        if keyword:
            yield _Instruction(keyword.upper(), value.strip(), first, last)


def _directives(lines: list[str]) -> list[str]:
    """Return the names of the parser directives, which are the first lines and nothing else."""
    names: list[str] = []
    for line in lines:
        match = _DIRECTIVE.match(line.strip())
        if match is None:
            break
        names.append(match[1].lower())
    return names

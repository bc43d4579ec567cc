"""Variables in a Compose file: `${NAME:-default}` and its relatives, and the files that give them values.

A variable without a value stays in the text as a mark, so that two places which mean the same one are still equal.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from delivery.discovery.folders import is_file, is_left_to_git, read

EXAMPLES = (
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    "env.example",
    "example.env",
    ".env.default",
    ".env.defaults",
)
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}([A-Za-z_]\\w*){_CLOSE}")
_NAME = re.compile(r"[A-Za-z_]\w*")
_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][\w.]*)\s*[=:]\s*(.*?)\s*$")
_DEEPEST = 20


def fill_in(value: Any, variables: Mapping[str, str]) -> Any:
    """Return a YAML value with every variable in it filled in."""
    if isinstance(value, str):
        return _fill(value, variables, 0)
    if isinstance(value, list):
        return type(value)(fill_in(one, variables) for one in value)
    if isinstance(value, dict):
        return type(value)((key, fill_in(one, variables)) for key, one in value.items())
    return value


def unknown_variables(text: str) -> list[str]:
    """Return the names of the variables that nothing gives a value."""
    return list(dict.fromkeys(_MARK.findall(text)))


def without_unknown(text: str) -> str:
    """Return the text as Compose reads it: a variable without a value is empty."""
    return _MARK.sub("", text)


def mark_of(name: str) -> str:
    """Return the text of a variable without a value."""
    return f"{_OPEN}{name}{_CLOSE}"


def _fill(text: str, variables: Mapping[str, str], deep: int) -> str:
    done, rest = "", text.replace(_OPEN, "").replace(_CLOSE, "") if deep == 0 else text
    while "$" in rest and deep < _DEEPEST:
        before, _, rest = rest.partition("$")
        done += before
        if rest.startswith("$"):
            done, rest = f"{done}$", rest[1:]
        elif rest.startswith("{") and (end := _closing(rest)) > 0:
            done += _value(rest[1:end], variables, deep)
            rest = rest[end + 1 :]
        elif match := _NAME.match(rest):
            done += variables.get(match[0], mark_of(match[0]))
            rest = rest[match.end() :]
        else:
            done += "$"
    return done + rest


def _closing(text: str) -> int:
    level = 0
    for number, sign in enumerate(text):
        level += {"{": 1, "}": -1}.get(sign, 0)
        if level == 0:
            return number
    return -1


def _value(inside: str, variables: Mapping[str, str], deep: int) -> str:
    """Return what `${inside}` stands for."""
    match = _NAME.match(inside)
    if match is None:
        return f"${{{inside}}}"
    name, rest = match[0], inside[match.end() :]
    value = variables.get(name)
    colon, operator, word = rest.startswith(":"), rest.lstrip(":")[:1], rest.lstrip(":")[1:]
    is_set = bool(value) if colon else value is not None
    if operator == "+":
        return _fill(word, variables, deep + 1) if is_set else ""
    if is_set:
        return str(value)
    return _fill(word, variables, deep + 1) if operator == "-" else mark_of(name)


def read_env(text: str) -> dict[str, str]:
    """Return what a file of variables says."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = None if line.lstrip().startswith("#") else _LINE.match(line)
        if match:
            value = match[2]
            quoted = re.match(r"([\"'])(.*?)\1", value)
            found[match[1]] = quoted[2] if quoted else re.sub(r"(?:^|\s+)#.*$", "", value)
    return found


def env_file(path: Path, root: Path) -> tuple[dict[str, str], Path | None]:
    """Return what a file of variables says and which file that is: its committed example where it is not committed."""
    if is_file(path) and not is_left_to_git(path, root):
        return read_env(read(path)), path
    found = next((one for one in _examples(path) if is_file(one)), None)
    values = read_env(read(found)) if found else {}
    return {name: text or mark_of(name) for name, text in values.items()}, found


def example_of(folder: Path) -> tuple[dict[str, str], Path | None]:
    """Return the variables that the folder's example file names."""
    found = next((folder / name for name in EXAMPLES if is_file(folder / name)), None)
    return (read_env(read(found)), found) if found else ({}, None)


def _examples(path: Path) -> Iterator[Path]:
    for suffix in (".example", ".sample", ".template", ".dist", ".default", "-example", "-sample"):
        yield path.with_name(f"{path.name}{suffix}")
    yield path.with_name(f"{path.stem}.example{path.suffix}")
    yield path.with_name(f"example{path.name}")
    if path.name == ".env":
        yield from (path.parent / name for name in EXAMPLES)

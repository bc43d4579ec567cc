"""The examples of docs/examples.md, and whether what they print is what the published schema says."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import typer
from jsonschema import Draft202012Validator

from cli.main import app
from cli.outputs import output_schema

PAGE = Path(__file__).parents[2] / "docs/examples.md"
# What needs a real engine or an account; everything else runs on a platform in memory.
ON_A_MACHINE = ("up", "ui", "doctor", "down")
IN_THE_FOREGROUND = ("hooks serve",)
ON_AWS = ("bootstrap", "destroy")


class Example(NamedTuple):
    """One line of the page."""

    verb: str
    argv: list[str]
    section: str
    stdin: str = ""

    @property
    def prints_data(self) -> bool:
        return "--json" in self.argv


def commands() -> dict[str, Any]:
    """Return every command there is by its verb; of a group each by both words."""
    return dict(_leaves(typer.main.get_command(app)))


def examples() -> list[Example]:
    """Return the examples of the page, in its order."""
    found: list[Example] = []
    for section in PAGE.read_text().split("\n## ")[1:]:
        title = section.splitlines()[0]
        found += [_example(title, line) for line in re.findall(r"^    headway (.+)$", section, re.MULTILINE)]
    return found


def check_data(verb: str, printed: str) -> object:
    """Return the data that a command printed, which is as its schema says."""
    data = json.loads(printed)
    schema = output_schema(verb)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(data)
    return data


def _example(section: str, line: str) -> Example:
    command, _, stdin = line.partition(" < ")
    argv = shlex.split(command)
    known = commands()
    verb = next(name for name in (" ".join(argv[:2]), argv[0]) if name in known)
    return Example(verb, argv, section, stdin)


def _leaves(command: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield before, command
        return
    for name, one in below.items():
        yield from _leaves(one, f"{before} {name}".strip())

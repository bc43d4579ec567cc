"""The first file as it grows, with everything that was guessed, left out and left to decide."""

import re
import textwrap
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import yaml

LONGEST_NAME = 39
WIDEST_MAPPING = 90
_HEAD = """\
# Written by `headway init`; what it guessed, left out and leaves to you is marked below. `headway check` reads it,
# `headway plan` says what it would do, docs/headway-yaml.md explains every key, docs/first-file.md what init looks at.
"""


@dataclass
class Draft:
    """The text of a first file, the guesses in it, what is not in it, and what its owner must still decide."""

    content: dict[str, Any] = field(default_factory=dict)
    guesses: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)

    def guess(self, text: str) -> None:
        """Say what was guessed, once."""
        _add(self.guesses, text)

    def leave_out(self, text: str) -> None:
        """Say what is in the folder and not in the file, once."""
        _add(self.left_out, text)

    def decide(self, text: str) -> None:
        """Say what only the application's owner can know, once."""
        _add(self.decisions, text)

    @property
    def text(self) -> str:
        """The file."""
        kinds = (("guess", self.guesses), ("left out", self.left_out), ("decide", self.decisions))
        notes = "".join(_comment(kind, note) for kind, noted in kinds for note in noted)
        body = yaml.dump(
            self.content, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True
        )
        return f"{_HEAD}{notes}{body}"


class _Dumper(yaml.SafeDumper):
    """YAML without anchors: what is the same in two places is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        node = super().represent_mapping(tag, mapping, flow_style)
        if sum(len(str(key)) + len(str(value)) + 4 for key, value in dict(mapping).items()) > WIDEST_MAPPING:
            node.flow_style = False
        return node


def name_of(text: str) -> str:
    """Return `text` as a name Headway takes."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (plain if plain[:1].isalpha() else f"app-{plain}".rstrip("-"))[:LONGEST_NAME].rstrip("-")


def free_name(text: str, taken: Container[str]) -> str:
    """Return `text` as a name that is not taken yet."""
    name = name_of(text)
    if name not in taken:
        return name
    return next(free for number in count(2) if (free := f"{name[: LONGEST_NAME - 4]}-{number}") not in taken)


def yaml_line(content: Any) -> str:
    """Return `content` as one line of YAML, to be shown to people."""
    return yaml.safe_dump(content, default_flow_style=True, sort_keys=False, width=10_000).strip()


def _add(notes: list[str], text: str) -> None:
    if text not in notes:
        notes.append(text)


def _comment(kind: str, note: str) -> str:
    """Return a note as comment lines: lines of its own stay lines."""
    first, *rest = [_printable(line) for line in note.split("\n")]
    wrapped = textwrap.wrap(f"{kind}: {first}", 117, break_long_words=False, break_on_hyphens=False) or [f"{kind}:"]
    lines = [wrapped[0], *(f"  {line}" for line in wrapped[1:]), *(f"    {line}" for line in rest)]
    return "".join(f"# {line}\n" for line in lines)


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)

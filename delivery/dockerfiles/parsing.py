"""The instructions of a Dockerfile, found by the parser that BuildKit itself uses."""

import importlib
import re
from typing import Any

from delivery.dockerfiles.variables import NotUnderstood

BOM = "\ufeff"
_DIRECTIVE = re.compile(r"^#\s*([A-Za-z]\w*)\s*=\s*(.+?)\s*$")
_DIRECTIVES = ("syntax", "escape", "check")
# Behind a line that starts with `#!`, too, and as `//`: https://github.com/moby/buildkit, frontend/dockerfile/parser.
_READER = re.compile(r"^\ufeff?\s*(#|//)\s*syntax\s*=", re.IGNORECASE | re.MULTILINE)
READER = "BUILDKIT_SYNTAX"  # a build argument that says the same


def commands(text: str) -> tuple[Any, ...]:
    """Return what the parser finds; there is none for every kind of machine, and then the engine alone reads them."""
    try:
        parser = importlib.import_module("dockerfile")
    except ImportError as error:
        raise NotUnderstood("there is no parser for this kind of machine") from error
    try:
        found = parser.parse_string(text.encode(errors="replace").decode())  # half a character ends the process
        return tuple(one for one in found if one.cmd)  # a line of nothing but its continuation is none
    except parser.GoParseError as error:
        raise NotUnderstood(str(error)) from error


def directives(text: str) -> list[tuple[str, str]]:
    """Return name and value of the parser directives, which are the first lines and nothing else."""
    found: list[tuple[str, str]] = []
    for line in text.removeprefix(BOM).split("\n"):
        match = _DIRECTIVE.match(line.strip())
        if match is None or match[1].lower() not in _DIRECTIVES:
            break
        found.append((match[1].lower(), match[2]))
    return found


def may_name_reader(text: str) -> bool:
    """Whether any line may tell the engine to have the file read by another program; a comment can look like one."""
    return _READER.search(text) is not None

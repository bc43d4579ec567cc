"""Words of a Dockerfile with their variables and quotes resolved, as BuildKit resolves them.

https://docs.docker.com/reference/dockerfile/#environment-replacement
"""

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_]\w*")
# `${X-default}` without a colon is newer than the engine of many machines.
NEWER = re.compile(r"\$\{\w+[-+?]")


class NotUnderstood(Exception):
    """The Dockerfile says something that is left to the engine."""


def expand(word: str, values: Mapping[str, str], escape: str = "\\") -> str:
    """Return `word` with variables filled in and quotes taken away; NotUnderstood for what only the engine knows."""
    return _unquoted(word, 0, "", values, escape)[0]


def _unquoted(word: str, at: int, until: str, values: Mapping[str, str], escape: str) -> tuple[str, int]:
    """Return the text from `at` up to `until`, and where that stands."""
    parts: list[str] = []
    while at < len(word) and word[at] != until:
        if word[at] == "'":
            end = word.find("'", at + 1)
            if end < 0:
                raise NotUnderstood(f"{word}: a quote that is not closed")
            text, at = word[at + 1 : end], end + 1
        elif word[at] == '"':
            text, at = _quoted(word, at + 1, values, escape)
        elif word[at] == "$":
            text, at = _variable(word, at + 1, values, escape)
        elif word[at] == escape:
            text, at = word[at + 1 : at + 2], at + 2
        else:
            text, at = word[at], at + 1
        parts.append(text)
    if until and at >= len(word):
        raise NotUnderstood(f"{word}: a variable that is not closed")
    return "".join(parts), at


def _quoted(word: str, at: int, values: Mapping[str, str], escape: str) -> tuple[str, int]:
    """Return the text between double quotes, and where it goes on behind them."""
    parts: list[str] = []
    while word[at : at + 1] != '"':
        if at >= len(word):
            raise NotUnderstood(f"{word}: a quote that is not closed")
        if word[at] == "$":
            text, at = _variable(word, at + 1, values, escape)
        elif word[at] == escape and word[at + 1 : at + 2] in ('"', "$", escape):
            text, at = word[at + 1], at + 2
        else:
            text, at = word[at], at + 1
        parts.append(text)
    return "".join(parts), at + 1


def _variable(word: str, at: int, values: Mapping[str, str], escape: str) -> tuple[str, int]:
    """Return the value of the variable whose name, or brace, begins at `at`, and where the text goes on."""
    braced = word[at : at + 1] == "{"
    name = _NAME.match(word, at + braced)
    if name is None:
        raise NotUnderstood(f"{word}: a variable without a name")
    value, at = values.get(name[0]), name.end()
    if not braced or word[at : at + 1] == "}":
        return value or "", at + braced
    is_set = value is not None
    if word[at : at + 1] == ":":  # then empty counts as not set
        is_set, at = bool(value), at + 1
    operator = word[at : at + 1]
    other, at = _unquoted(word, at + 1, "}", values, escape)
    match operator:
        case "-":
            return (value or "") if is_set else other, at + 1
        case "+":
            return other if is_set else "", at + 1
        case "?" if is_set:
            return value or "", at + 1
    raise NotUnderstood(f"{word}: {operator}{other}")

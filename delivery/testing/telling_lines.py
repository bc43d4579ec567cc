"""What a program that failed said, in one line for people."""

import re

_ERROR = re.compile(r"error|exception|fail|fatal|denied|cannot|can't|not found", re.IGNORECASE)
_MADE_UP = re.compile(r"[0-9a-f-]{8,}|[0-9]+", re.IGNORECASE)


def alike(one: str, other: str) -> bool:
    """Tell whether two problems are the same but for numbers and names that are made up each time."""
    return bool(one) and _MADE_UP.sub("", one) == _MADE_UP.sub("", other)


def telling_line(log: str) -> str:
    """Return the line of a log that says most: the last that speaks of an error, or the last that says anything."""
    lines = [line.strip() for line in log.splitlines() if any(map(str.isalnum, line))]
    errors = [line for line in lines if _ERROR.search(line)]
    return (errors or lines or ["it said nothing"])[-1]


def in_one_line(text: str) -> str:
    """Return what is told of an error in one line: its first, and the last of what it quotes."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " … ".join(dict.fromkeys((lines[0], lines[-1]))) if lines else ""

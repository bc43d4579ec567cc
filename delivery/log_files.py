"""Log files in short."""

import re
from pathlib import Path

_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[^\S\n\t ]|[\x00-\x08\x0b-\x1f\x7f]")


def plain(text: str) -> str:
    """Return a text without colours and control characters."""
    return _CONTROL.sub("", text)


def last_lines(path: Path, count: int = 25) -> str:
    """Return the last lines of a log that are not empty, without colours and control characters."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 32_768))
        text = file.read().decode(errors="replace")
    lines = [line.rstrip() for line in plain(text).splitlines()]
    return "\n".join([line for line in lines if line][-count:])

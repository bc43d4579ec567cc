"""The path a health check asks for, whichever program asks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from delivery.discovery.dockerfiles import as_port, expand
from delivery.discovery.folders import read
from delivery.model import PATH_PATTERN

_URL = re.compile(r"(https?)://([\w.-]+|\[[0-9a-f:]+\])(?::([^/\s\"'\\]+))?(/[^\s\"'`\\|;)<>]*)?", re.IGNORECASE)
_BARE = re.compile(
    r"(?:curl|wget)\b.*?\s(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::([^/\s\"'\\]+))?(/[^\s\"'`\\|;)<>]*)?"
)
_HERE = ("localhost", "127.0.0.1", "0.0.0.0", "[::1]", "::1")  # noqa: S104  # what checks ask for
_SCRIPT = re.compile(r"^[\w./-]+\.(?:js|mjs|cjs|ts|py|sh|rb)$")
_PATH_OPTION = re.compile(r"\bpath:\s*[\"'](/[^\"']*)[\"']")
_PORT_OPTION = re.compile(r"\bport:\s*(?:\D{0,40}?)(\d{2,5})\b")


@dataclass(frozen=True)
class HealthQuestion:
    """What is asked: a path, and the port when the check names one."""

    path: str
    port: int | None = None


def health_question(
    words: Sequence[str], variables: dict[str, str], context: Path | None = None
) -> HealthQuestion | None:
    """Return what a check asks its own container over HTTP, or none; scripts in `context` are looked into."""
    text = expand(" ".join(words), variables)
    found = _asked(text)
    if found or context is None:
        return found
    for word in text.split():
        if _SCRIPT.match(word) and (script := _script(context, word)):
            return _asked(expand(script, variables)) or _asked_by_options(script)
    return None


def _asked(text: str) -> HealthQuestion | None:
    for match in _URL.finditer(text):
        if match[1].lower() == "http" and match[2].lower() in _HERE:
            return _question(match[4], match[3] or "80")
    bare = _BARE.search(text)
    return _question(bare[2], bare[1] or "80") if bare else None


def _asked_by_options(script: str) -> HealthQuestion | None:
    path, port = _PATH_OPTION.search(script), _PORT_OPTION.search(script)
    return _question(path[1], port[1] if port else "") if path else None


def _question(path: str | None, port: str) -> HealthQuestion | None:
    asked = path or "/"
    return HealthQuestion(asked, as_port(port)) if re.match(PATH_PATTERN, asked) else None


def _script(context: Path, word: str) -> str:
    """Return the text of a script of the image, which lies in the context under the end of its path."""
    parts = [part for part in word.split("/") if part and part not in (".", "..")]
    paths = (context.joinpath(*parts[number:]) for number in range(len(parts)))
    return next((text for path in paths if (text := read(path))), "")

"""Secrets taken out of what is kept: logs, reports, messages."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

from pydantic import SecretStr

SHORTEST = 4  # a shorter one would make holes in every line
SHORTEST_BASE64 = 8  # fewer letters may be any word
MASK = b"***"


class Redaction:
    """Replaces secrets, as URLs, JSON, XML and Base64 write them too, and each line of one with several."""

    def __init__(self, secrets: Iterable[SecretStr] = ()) -> None:
        values = [secret.get_secret_value() for secret in secrets]
        lines = {part.strip() for value in values for part in (value, *value.splitlines())}
        forms = {form for line in lines if len(line) >= SHORTEST for form in _written(line)}
        found = sorted((form.encode() for form in forms), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, found))) if found else None
        self._longest = max(map(len, found), default=0)

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        if self._pattern is None:
            return text
        return self._pattern.sub(MASK, text.encode(errors="surrogateescape")).decode(errors="replace")

    def stream(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what `chunks` hold without secrets, also those that lie across two of them."""
        if self._pattern is None:
            yield from chunks
            return
        rest = b""
        for chunk in chunks:
            rest += chunk
            ends = [found.end() for found in self._pattern.finditer(rest)]
            cut = max(len(rest) - self._longest + 1, ends[-1] if ends else 0, 0)
            yield self._pattern.sub(MASK, rest[:cut])
            rest = rest[cut:]
        yield self._pattern.sub(MASK, rest)

    def file(self, path: Path) -> None:
        """Take the secrets out of a file."""
        if self._pattern is not None:
            path.write_bytes(self._pattern.sub(MASK, path.read_bytes()))


NOTHING = Redaction()


def _written(value: str) -> set[str]:
    plain = {value, quote(value, safe=""), json.dumps(value)[1:-1], escape(value), escape(value, {'"': "&quot;"})}
    return plain | {form for form in _in_base64(value.encode(errors="surrogateescape")) if len(form) >= SHORTEST_BASE64}


def _in_base64(value: bytes) -> Iterator[str]:
    """Yield the letters that hold nothing but the value, wherever in a text it stands: in `user:password`, too.

    Three bytes are four letters (RFC 4648, section 4), so there are three ways to begin.
    """
    for before in range(3):
        first, end = -(-before * 8 // 6), (before + len(value)) * 8 // 6
        letters = base64.b64encode(bytes(before) + value).decode()[first:end]
        yield from (letters, letters.replace("+", "-").replace("/", "_"))

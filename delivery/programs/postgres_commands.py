"""What the text of SQL says by itself: its commands, which of them begin or end a transaction, and what they lock.

A file that is sent as one query is one statement to the server, which names it by its last command alone.
"""

import re
from collections.abc import Iterator

from delivery.releases.rehearsal import LOCKS

_COMMENT = r"--[^\n]*|/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*.*?\*/)*\*/"
# Lexical structure: https://www.postgresql.org/docs/current/sql-syntax-lexical.html. The body of a function in SQL
# (`begin atomic`) has semicolons of its own, and ends behind one.
_STRING = r"(?<![\w$])e'(?:[^'\\]|\\.)*'|'[^']*'|(?<![\w$])\$((?:[^\W\d]\w*)?)\$.*?\$\1\$"
_TOKEN = re.compile(
    rf"""{_STRING}|(?P<comment>{_COMMENT})|(?P<name>"[^"]*")|\bbegin\s+atomic\b.*?;\s*end\b|(?P<end>;)""",
    re.DOTALL | re.IGNORECASE,
)
_KEPT = re.compile(rf"{_COMMENT}|\n", re.DOTALL)
_BEGINS = re.compile(r"begin\b|start\s+transaction\b", re.IGNORECASE)
_ENDS = re.compile(
    r"(?:commit|rollback|abort|end)\b(?!\s+prepared\b|\s+(?:(?:work|transaction)\s+)?to\b)|prepare\s+transaction\b",
    re.IGNORECASE,
)
_CHAINS = re.compile(r"\band\s+chain\b", re.IGNORECASE)
_READS = re.compile(
    r"\(*\s*(?:begin|start|commit|end|rollback|abort|prepare\s+transaction|select|with|values|table|show|set|reset|"
    r"discard\s+all|savepoint|release|fetch)\b",
    re.IGNORECASE,
)
_WRITES = re.compile(r"(?:with\b.*?\b)?(?<!for\s)(?<!key\s)(?:insert|update|delete|merge)\b", re.IGNORECASE | re.DOTALL)

_PART = r'(?:"[^"]+"|[^\W\d][\w$]*)'
_NAME = rf"(?:only\s+)?{_PART}(?:\s*\.\s*{_PART})*"
_NAMES = rf"({_NAME}(?:\s*\*?\s*,\s*{_NAME})*)?"
_OPTIONS = r"(?:\(([^)]*)\)\s*)?"
_TRUNCATE = re.compile(rf"truncate\s+(?:table\s+)?{_NAMES}", re.IGNORECASE)
_LOCK = re.compile(rf"lock\s+(?:table\s+)?{_NAMES}(?:.*?\bin\s+([a-z\s]+?)\s+mode\b)?", re.IGNORECASE | re.DOTALL)
_CLUSTER = re.compile(rf"cluster\b\s*{_OPTIONS}(?:verbose\b\s*)?(?:{_PART}\s+on\s+)?{_NAMES}", re.IGNORECASE)
_VACUUM = re.compile(rf"vacuum\b\s*{_OPTIONS}((?:(?:full|freeze|verbose|analy[sz]e)\b\s*)*){_NAMES}", re.IGNORECASE)
_REINDEX = re.compile(
    rf"reindex\b\s*{_OPTIONS}(index|table|schema|database|system)\b\s*(concurrently\b\s*)?{_NAMES}", re.IGNORECASE
)
_FULL = re.compile(r"\bfull\b(?!\s*(?:false|off|0))", re.IGNORECASE)
_CONCURRENTLY = re.compile(r"\bconcurrently\b(?!\s*(?:false|off|0))", re.IGNORECASE)
_EVERY = ("every table",)


def commands(sql: str) -> list[str]:
    """Return the commands of a text, without comments and without what stands in strings."""
    found = (_TOKEN.sub(_bare, part).strip() for part in _parts(sql))
    return [command for command in found if command]


def begins(command: str) -> bool:
    """Whether a command opens a transaction; one that chains does so as it ends another."""
    return bool(_BEGINS.match(command) or (ends(command) and _CHAINS.search(command)))


def ends(command: str) -> bool:
    """Whether a command ends a transaction: one that goes back to a savepoint does not."""
    return bool(_ENDS.match(command))


def reads(command: str) -> bool:
    """Whether a command changes nothing by what its text says; what a function does that it calls is not known."""
    return bool(_READS.match(command)) and not _WRITES.match(command)


def locked(command: str) -> tuple[str, tuple[str, ...]]:
    """Return the lock that a command takes of which no event trigger is told, and on what; "" where there is none.

    https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES; event triggers are told of REINDEX
    from PostgreSQL 17 on, of the others by none: https://www.postgresql.org/docs/17/event-trigger-matrix.html.
    """
    if _WRITES.match(command):
        return "ROW EXCLUSIVE", ()
    if told := _TRUNCATE.match(command):
        return LOCKS[-1], _names(told[1])
    if told := _LOCK.match(command):
        mode = " ".join((told[2] or "").upper().split())
        return mode if mode in LOCKS else LOCKS[-1], _names(told[1])
    if told := _CLUSTER.match(command):
        return LOCKS[-1], _names(told[2]) or _EVERY
    if told := _VACUUM.match(command):
        full = _FULL.search(f"{told[1] or ''} {told[2]}")
        return LOCKS[-1] if full else "SHARE UPDATE EXCLUSIVE", _names(told[3]) or _EVERY
    if told := _REINDEX.match(command):
        beside = told[3] or _CONCURRENTLY.search(told[1] or "")
        return "SHARE UPDATE EXCLUSIVE" if beside else "SHARE", _reindexed(told[2].lower(), _names(told[4]))
    return "", ()


def without_transactions(sql: str) -> str:
    """Return a text without its commands that begin and end transactions, on as many lines."""
    return ";".join(
        "".join(_KEPT.findall(part)) if begins(bare := _TOKEN.sub(_bare, part).strip()) or ends(bare) else part
        for part in _parts(sql)
    )


def _parts(sql: str) -> Iterator[str]:
    """Yield what stands between the semicolons that end commands."""
    start = 0
    for token in _TOKEN.finditer(sql):
        if token["end"]:
            yield sql[start : token.start()]
            start = token.end()
    yield sql[start:]


def _bare(token: re.Match[str]) -> str:
    """Return a name as it is, a space for a comment, and nothing of what a string holds."""
    if token["name"] is not None:
        return token["name"]
    return " " if token["comment"] else "''"


def _names(listed: str | None) -> tuple[str, ...]:
    found = re.findall(_NAME, listed or "", re.IGNORECASE)
    return tuple(re.sub(r"^only\s+", "", one, flags=re.IGNORECASE) for one in found)


def _reindexed(what: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return whose tables writers are kept out of: that of an index, those of a schema, or all."""
    if what == "index":
        return tuple(f"the table of {name}" for name in names)
    return names if what == "table" else tuple(f"every table of {name}" for name in names) or _EVERY

"""Alembic: revisions of Python, told by the heads of their graph. It has no lock, and no checksums."""

import re

from delivery.migrations.tool import Operation, Problem, Session, Trouble, sorted_problem, version_of
from delivery.ports.database import DatabaseAccess

_SIGNS: dict[str, Trouble] = {
    "Can't locate revision": "unknown",
    "Multiple head revisions": "ambiguous",
    "canceling statement due to lock timeout": "locked",
    "connection failed": "unreachable",
    "could not connect to server": "unreachable",
    "Connection refused": "unreachable",
}
# `001 -> 002 (head), give them names`, as `alembic history` writes a revision: what it comes from, and what it is. One
# that merges comes from several, `002, 003 -> 004`; what it depends on beside them follows, `002 (001) -> 003`.
_REVISION = re.compile(
    r"^(?P<before>\S+(?:, \S+)*)(?: \((?P<needs>[^)]*)\))? -> (?P<name>[^\s,]+)(?P<marks>(?: \([^)]*\))*)"
    r"(?:, (?P<text>.*))?$",
    re.MULTILINE,
)
_BASE = "<base>"


# As it logs each of them, where the application's `env.py` has its log set up.
_APPLIED = re.compile(r"Running upgrade .*?-> (?P<name>[^\s,]+)(?:, (?P<text>.*))?")


class Alembic:
    """Revisions in the application's own image."""

    program = ("alembic",)
    takes_back = True

    def words(self, operation: Operation, count: int = 1, up_to: str = "") -> tuple[str, ...]:
        """Return Alembic's arguments: `history` with a range tells what is pending, and knows an unknown revision."""
        match operation:
            case "apply":
                return ("upgrade", up_to or "head")
            case "revert":
                return ("downgrade", up_to or f"-{count}")
            case "history":
                return ("history", "-r", "base:current")
            case _:
                return ("history", "-r", "current:heads", "--indicate-current")

    def variables(self, access: DatabaseAccess, session: Session) -> dict[str, str]:
        """Return libpq's: which address the application's `env.py` takes is its own affair."""
        return {"PGOPTIONS": session.options, "PGAPPNAME": session.name}

    def problem(self, operation: Operation, exit_code: int, said: str) -> Problem | None:
        """Return what went wrong; two heads are told with exit code 0 by all but `upgrade`."""
        if exit_code != 0:
            return sorted_problem(said, _SIGNS, _reason)
        heads = [one["name"] for one in _REVISION.finditer(said) if "(head)" in one["marks"]]
        if operation == "verify" and len(heads) > 1:
            return Problem("ambiguous", f"there are {len(heads)} heads: {', '.join(heads)}")
        return None

    def versions(self, operation: Operation, said: str) -> tuple[str, ...]:
        """Return revisions with their messages, oldest first; the current one is none of those that are pending."""
        if operation == "apply":
            return tuple(f"{one['name']} {one['text'] or ''}".rstrip() for one in _APPLIED.finditer(said))
        found = _pending(said) if operation == "pending" else list(_REVISION.finditer(said))[::-1]
        return tuple(f"{one['name']} {one['text'] or ''}".rstrip() for one in found)

    def tells(self, told: str, version: str) -> bool:
        """Whether it stands before the message."""
        return version_of(told) == version

    def ends(self, said: str, count: int) -> tuple[str, ...]:
        """Return those that none of the others comes from: `upgrade` to one brings what it comes from alone."""
        first = _pending(said)[:count]
        before = {name for one in first for name in f"{one['before']}, {one['needs'] or ''}".split(", ")}
        return tuple(one["name"] for one in first if one["name"] not in before)

    def now(self, said: str) -> tuple[str, ...]:
        """Return the revisions that are current: from one that merges, no count of steps leads back."""
        found = list(_REVISION.finditer(said))
        if current := tuple(one["name"] for one in found if "(current)" in one["marks"]):
            return current
        return ("base",) if any(one["before"] == _BASE for one in found) else ()

    def lock_left_by(self, said: str) -> str:
        """Return nothing: it has no lock."""
        return ""


def _pending(said: str) -> list[re.Match[str]]:
    """Return the revisions after the current ones, oldest first: each stands behind all that it comes from."""
    return [one for one in _REVISION.finditer(said) if "(current)" not in one["marks"]][::-1]


def _reason(said: str) -> str:
    """Return Alembic's last word, or the database's error and the statement that it refused."""
    if failed := re.search(r"^FAILED: (.*)$", said, re.MULTILINE):
        return failed[1]
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("(Background on")]
    at = next(
        (number for number, line in enumerate(lines) if re.match(r"[\w.]+(Error|Exception)\b", line)), len(lines) - 1
    )
    return "\n".join(lines[max(at, 0) : at + 4]) or "it said nothing"

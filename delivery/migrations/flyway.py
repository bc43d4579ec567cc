"""Flyway: versioned files with checksums, under an advisory lock; what it found is in its JSON, not its exit code."""

import json
from collections.abc import Mapping
from typing import Any

from delivery.migrations.tool import Operation, Problem, Session, Trouble, jdbc_url, version_of
from delivery.ports.database import DatabaseAccess

_WORDS = {"apply": "migrate", "verify": "validate", "pending": "info", "history": "info"}
_CODES: dict[str, Trouble] = {"VALIDATE_ERROR": "changed", "DB_CONNECTION": "unreachable"}
_LOCKED = ("canceling statement due to lock timeout", "PostgreSQL advisory lock")
_UNFINISHED = "Detected failed migration"  # of statements outside of a transaction: its row says so
_PENDING, _DONE = ("Pending", "Outdated", "Out of Order Pending"), ("Success", "Out of Order", "Future", "Missing")


class Flyway:
    """Files in Flyway's own image, or in one that has it."""

    program: tuple[str, ...] = ()
    takes_back = False  # `undo` is not in its free edition

    def words(self, operation: Operation, count: int = 1, up_to: str = "") -> tuple[str, ...]:
        """Return its command; where files lie is told by FLYWAY_LOCATIONS, or is the image's own folder."""
        target = (f"-target={up_to}",) if up_to and operation == "apply" else ()
        return ("-outputType=json", *target, _WORDS[operation])

    def variables(self, access: DatabaseAccess, session: Session) -> dict[str, str]:
        """Return its own: https://documentation.red-gate.com/fd/environment-variables-184127466.html."""
        return {
            "FLYWAY_URL": jdbc_url(access, session),
            "FLYWAY_USER": access.user,
            "FLYWAY_PASSWORD": access.password.get_secret_value(),
        }

    def problem(self, operation: Operation, exit_code: int, said: str) -> Problem | None:
        """Return what went wrong: `validate` exits 0 with `validationSuccessful: false`."""
        told = _told(said)
        error = told.get("error") or told.get("errorDetails") or {}
        if told.get("validationSuccessful") is False:
            invalid = [one for one in told.get("invalidMigrations", ()) if isinstance(one, Mapping)]
            texts = [str((one.get("errorDetails") or {}).get("errorMessage") or one.get("filepath")) for one in invalid]
            return Problem("changed", "\n".join(texts) or _message(error) or "validation failed")
        if exit_code == 0 and not error:
            return None
        message = _message(error) or "\n".join(said.strip().splitlines()[-5:]) or "it said nothing"
        code = str(error.get("errorCode", ""))
        if any(one in message for one in _LOCKED):
            return Problem("locked", message)
        if _UNFINISHED in message:
            return Problem("unfinished", message)
        return Problem(_CODES.get(code, "failed"), message)

    def versions(self, operation: Operation, said: str) -> tuple[str, ...]:
        """Return versions with their descriptions; `R` stands for what is repeatable."""
        states = _PENDING if operation == "pending" else _DONE
        found = [one for one in _told(said).get("migrations", ()) if operation == "apply" or one.get("state") in states]
        return tuple(f"{one.get('version') or 'R'} {one.get('description', '')}".rstrip() for one in found)

    def tells(self, told: str, version: str) -> bool:
        """Whether it stands before the description."""
        return version_of(told) == version

    def ends(self, said: str, count: int) -> tuple[str, ...]:
        """Return the last of them: it knows one order."""
        return (version_of(self.versions("pending", said)[count - 1]),)

    def now(self, said: str) -> tuple[str, ...]:
        """Return nothing: it takes nothing back."""
        return ()

    def lock_left_by(self, said: str) -> str:
        """Return nothing: its lock ends with its session."""
        return ""


def _told(said: str) -> dict[str, Any]:
    """Return the JSON in what was said: lines of its log may come before."""
    at = said.find("{")
    while at >= 0:
        try:
            found, _ = json.JSONDecoder().raw_decode(said[at:])
        except ValueError:
            at = said.find("{", at + 1)
            continue
        return found if isinstance(found, dict) else {}
    return {}


def _message(error: Mapping[str, Any]) -> str:
    return str(error.get("message") or error.get("errorMessage") or "").strip()

"""Any command: nothing is known of it but how it ended."""

from delivery.migrations.tool import Operation, Problem, Session
from delivery.ports.database import DatabaseAccess

LAST_LINES = 25


class Command:
    """A program of the application's own."""

    program: tuple[str, ...] = ()
    takes_back = False

    def words(self, operation: Operation, count: int = 1, up_to: str = "") -> tuple[str, ...]:
        """Return nothing: what it is started with is all that there is."""
        return ()

    def variables(self, access: DatabaseAccess, session: Session) -> dict[str, str]:
        """Return libpq's, which drivers of most languages know."""
        return {"PGOPTIONS": session.options, "PGAPPNAME": session.name}

    def problem(self, operation: Operation, exit_code: int, said: str) -> Problem | None:
        """Return its exit code and last lines, when it did not end well."""
        lines = [line.rstrip() for line in said.splitlines() if line.strip()]
        last = "\n".join(lines[-LAST_LINES:])
        return Problem("failed", f"exit code {exit_code}; its last lines:\n{last}") if exit_code != 0 else None

    def versions(self, operation: Operation, said: str) -> tuple[str, ...]:
        """Return nothing: it says what it likes."""
        return ()

    def tells(self, told: str, version: str) -> bool:
        """Return that it is not: it tells none."""
        return False

    def ends(self, said: str, count: int) -> tuple[str, ...]:
        """Return nothing: it runs all or nothing."""
        return ()

    def now(self, said: str) -> tuple[str, ...]:
        """Return nothing: nothing is known of it."""
        return ()

    def lock_left_by(self, said: str) -> str:
        """Return nothing: nothing is known of it."""
        return ""

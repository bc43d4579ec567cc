"""What a tool for migrations is asked, and what is read from what it says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from delivery.ports.database import DatabaseAccess

Operation = Literal["apply", "verify", "pending", "history", "unlock", "revert"]
# Sorted by what is to be done about it.
Trouble = Literal["failed", "locked", "changed", "unknown", "ambiguous", "unfinished", "unreachable"]
NEXT: Mapping[Trouble, str] = {
    "failed": "mend the migration; nothing of the release has users",
    "locked": "wait for what holds the lock, or end it, and deliver again",
    "changed": "take the change back: a migration that ran stays as it was, and another one goes on from it",
    "unknown": "deliver code that has the version, or restore a backup of the time before it",
    "ambiguous": "join both with one more revision that comes after them",
    "unfinished": "see what of it is there, take that away, and let the tool forget its failure: flyway repair",
    "unreachable": "see that the database runs and lets its user in: headway status",
}


@dataclass(frozen=True)
class Session:
    """What a migration's session in the database is called, and how long it waits there; seconds."""

    name: str
    lock_timeout_seconds: float
    statement_timeout_seconds: float

    @property
    def options(self) -> str:
        """The settings, as libpq's PGOPTIONS and pgjdbc's `options` take them."""
        return (
            f"-c lock_timeout={round(1000 * self.lock_timeout_seconds)} "
            f"-c statement_timeout={round(1000 * self.statement_timeout_seconds)}"
        )


@dataclass(frozen=True)
class Problem:
    """Why an operation did not come to its end, or what it found; `said` are the tool's own words."""

    trouble: Trouble
    said: str

    def __str__(self) -> str:
        return f"{self.said}\n  next: {NEXT[self.trouble]}"


class MigrationTool(Protocol):
    """One tool; what it prints comes as one text, its standard output and error as they were written."""

    @property
    def program(self) -> tuple[str, ...]:
        """What starts it in an image whose entrypoint does not; empty where the tool's own image does."""
        ...

    @property
    def takes_back(self) -> bool:
        """Whether it can take back what it applied, where the migrations say how."""
        ...

    def words(self, operation: Operation, count: int = 1, up_to: str = "") -> tuple[str, ...]:
        """Return what is said to it.

        With `up_to`, a version, `apply` applies the next `count`, up to it. `revert` takes back the newest `count`, or,
        with `up_to`, whatever came after that version.
        """
        ...

    def variables(self, access: DatabaseAccess, session: Session) -> dict[str, str]:
        """Return the variables by which it finds the database: nothing of them may stand in its arguments."""
        ...

    def problem(self, operation: Operation, exit_code: int, said: str) -> Problem | None:
        """Return what went wrong, or none; an exit code of 0 proves nothing for some of them."""
        ...

    def versions(self, operation: Operation, said: str) -> tuple[str, ...]:
        """Return what is pending, or was applied, in its order."""
        ...

    def tells(self, told: str, version: str) -> bool:
        """Whether what it told, one of its `versions`, is a version as the files have it."""
        ...

    def ends(self, said: str, count: int) -> tuple[str, ...]:
        """Return the `up_to` of each `apply`, one after the other, by which the first `count` are applied.

        They are the first of those that it `said` are pending.
        """
        ...

    def now(self, said: str) -> tuple[str, ...]:
        """Return the `up_to` of each `revert` that leads back to where it `said` what is pending.

        Empty where a count of steps is all that it knows.
        """
        ...

    def lock_left_by(self, said: str) -> str:
        """Return the session of Headway's that left a lock of the tool's own behind, which `unlock` takes away.

        Empty where none did, and for tools whose locks end with their session.
        """
        ...


def jdbc_url(access: DatabaseAccess, session: Session) -> str:
    """Return the address for tools written in Java, with the session's settings and without user and password.

    https://jdbc.postgresql.org/documentation/use/#connection-parameters
    """
    options = session.options.replace(" ", "%20").replace("=", "%3D")
    return (
        f"jdbc:postgresql://{access.host}:{access.port}/{access.name}?ApplicationName={session.name}&options={options}"
    )


def version_of(told: str) -> str:
    """Return the version of what a tool tells, where its description follows it."""
    return told.partition(" ")[0]


def sorted_problem(said: str, signs: Mapping[str, Trouble], line_of: Callable[[str], str]) -> Problem:
    """Return the problem whose sign stands in what was said; `failed` without any."""
    trouble: Trouble = next((trouble for sign, trouble in signs.items() if sign in said), "failed")
    return Problem(trouble, line_of(said))

"""Liquibase: change sets with checksums, under a lock that is a row of a table."""

import re
from collections.abc import Mapping

from delivery.migrations.tool import Operation, Problem, Session, Trouble, jdbc_url, sorted_problem
from delivery.ports.database import DatabaseAccess

_SIGNS: dict[str, Trouble] = {
    "Could not acquire change log lock": "locked",
    "canceling statement due to lock timeout": "locked",
    "changesets check sum": "changed",
    "Connection could not be created": "unreachable",
}
_WORDS: Mapping[Operation, tuple[str, ...]] = {
    "apply": ("update",),
    "verify": ("validate",),
    "pending": ("status", "--verbose"),
    "history": ("history",),
    "unlock": ("release-locks",),
}
# `Currently locked by HOST#SESSION (ADDRESS) since …`: what is told as the host's description stands behind its name.
_HOLDER = re.compile(r"Currently locked by \S*?#(\S+) \(")
_PENDING = re.compile(r"^ +(\S.*::.+::.+)$", re.MULTILINE)
_APPLIED = re.compile(r"^\| *\d+ *\|[^|]*\| *([^|]*?) *\| *([^|]*?) *\| *([^|]*?) *\|", re.MULTILINE)


class Liquibase:
    """Change sets in an image of Liquibase, or in one that has it."""

    program: tuple[str, ...] = ()
    takes_back = True

    def words(self, operation: Operation, count: int = 1, up_to: str = "") -> tuple[str, ...]:
        """Return its command: which change log it reads is told by LIQUIBASE_COMMAND_CHANGELOG_FILE."""
        if operation == "revert":
            return ("rollback-count", str(count))
        return ("update-count", str(count)) if up_to and operation == "apply" else _WORDS[operation]

    def variables(self, access: DatabaseAccess, session: Session) -> dict[str, str]:
        """Return its own: a lock that is held is told after a minute, for only a process that died holds it longer.

        https://docs.liquibase.com/concepts/connections/liquibase-environment-variables.html
        """
        return {
            "LIQUIBASE_COMMAND_URL": jdbc_url(access, session),
            "LIQUIBASE_COMMAND_USERNAME": access.user,
            "LIQUIBASE_COMMAND_PASSWORD": access.password.get_secret_value(),
            "LIQUIBASE_CHANGELOG_LOCK_WAIT_TIME_IN_MINUTES": "1",
            "LIQUIBASE_SHOW_BANNER": "false",
            "JAVA_OPTS": f"-Dliquibase.hostDescription={session.name}",  # so that a lock says whose it is
        }

    def problem(self, operation: Operation, exit_code: int, said: str) -> Problem | None:
        """Return what went wrong: 1 is every failure; `status` exits 0 with change sets that are pending."""
        return sorted_problem(said, _SIGNS, _reason) if exit_code != 0 else None

    def versions(self, operation: Operation, said: str) -> tuple[str, ...]:
        """Return change sets as `file::id::author`, in the order of the change log, or in which they were applied."""
        if operation == "pending":
            return tuple(_PENDING.findall(said))
        return tuple(f"{path}::{number}::{author}" for path, author, number in _APPLIED.findall(said))

    def tells(self, told: str, version: str) -> bool:
        """Whether id and author are the same, and so is the file, whose path it tells from where it looks for files."""
        there, here = told.rsplit("::", 2), version.rsplit("::", 2)
        return [one.strip() for one in there[1:]] == [one.strip() for one in here[1:]] and _same_file(there[0], here[0])

    def ends(self, said: str, count: int) -> tuple[str, ...]:
        """Return the last of them: it knows one order."""
        return (self.versions("pending", said)[count - 1],)

    def now(self, said: str) -> tuple[str, ...]:
        """Return nothing: it takes back by count."""
        return ()

    def lock_left_by(self, said: str) -> str:
        """Return who a lock in its table belongs to: it stays when its session ends, as one that is killed does."""
        found = _HOLDER.search(said)
        return found[1] if found else ""


def _same_file(one: str, other: str) -> bool:
    """Whether one of two paths ends with all of the other."""
    ends = [[part for part in reversed(path.split("/")) if part not in ("", ".")] for path in (one, other)]
    return all(first == second for first, second in zip(*ends, strict=False))


def _reason(said: str) -> str:
    """Return what follows its last "Unexpected error", without where help is found."""
    found = said.partition("Unexpected error running Liquibase: ")[2].partition("\nFor more information")[0].strip()
    return found or "\n".join(said.strip().splitlines()[-5:]) or "it said nothing"

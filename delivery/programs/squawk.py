"""squawk: what is known to be dangerous in SQL for PostgreSQL. It looks at text alone, and at no database."""

import json
import sys
import sysconfig
from pathlib import Path

from delivery.errors import Misconfigured
from delivery.model import Model
from delivery.programs.postgres_commands import without_transactions
from delivery.programs.run import run

SECONDS = 60.0
# Each session that migrates is given both timeouts, so that no file has to.
_GIVEN = "set lock_timeout = '1s';\nset statement_timeout = '1s';\n"


class Remark(Model):
    """What it says of a statement."""

    rule: str
    message: str
    statement: int  # the number of the statement, from 0


def lint_argv(program: str, version: str, *, in_transaction: bool) -> list[str]:
    """Return the call that reads SQL from its standard input and prints what it finds as JSON."""
    argv = [program, "--reporter", "json", "--pg-version", version]
    return [*argv, "--assume-in-transaction"] if in_transaction else argv


def lint(statements: list[str], version: str, *, in_transaction: bool = True) -> tuple[Remark, ...]:
    """Return what squawk says of statements of a PostgreSQL `version`, like 15.0; it exits with 1 for any finding."""
    if not statements:
        return ()
    text, starts = _GIVEN, []
    for statement in statements:
        starts.append(text.count("\n"))
        # What is taken to be in a transaction would be found to nest its own. A line may end in a comment.
        text += without_transactions(statement) if in_transaction else statement
        text += "\n;\n"
    ended = run(
        lint_argv(_program(), version, in_transaction=in_transaction),
        timeout_seconds=SECONDS,
        stdin=text,
        accept=(0, 1),
    )
    return parse_remarks(ended.stdout, starts)


def parse_remarks(said: str, starts: list[int]) -> tuple[Remark, ...]:
    """Return its findings; `starts` are the lines, from 0, on which the statements begin. Each is told once."""
    found: dict[tuple[str, int], Remark] = {}
    for one in json.loads(said or "[]"):
        last = int(one.get("line_end", one["line"]))
        number = max((index for index, line in enumerate(starts) if line <= last), default=0)
        message = " ".join(filter(None, (one["message"], one.get("help"))))
        found.setdefault((one["rule_name"], number), Remark(rule=one["rule_name"], message=message, statement=number))
    return tuple(found.values())


def _program() -> str:
    """Return the program that the package brings, beside this Python."""
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (program := folder / "squawk").exists():
            return str(program)
    raise Misconfigured("squawk", "is not installed", next_step="pip install squawk-cli")

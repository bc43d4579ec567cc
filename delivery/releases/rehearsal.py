"""A rehearsal: a release's migrations ran on a copy, and both versions of the code on each schema."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from delivery.model import Model

Code = Literal["old", "new"]
# `written`: the new schema, after the new code wrote into it; `reverted`: the new one, taken back.
Schema = Literal["old", "new", "written", "reverted"]
Rollback = Literal["safe", "down", "recovery", "unknown"]
ROLLBACK: dict[Rollback, str] = {
    "safe": "traffic rollback is safe",
    "down": "a rollback needs a down migration",
    "recovery": "a rollback needs point-in-time recovery",
    "unknown": "not known whether a rollback is safe",
}
SCHEMA_ALONE = "the schema alone"
# https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES, weakest first.
LOCKS = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
BLOCKS_WRITERS = frozenset(LOCKS[LOCKS.index("SHARE") :])


class CodeOnSchema(Model):
    """How one version of the code got on with one schema."""

    code: Code
    on: Schema
    outcome: Literal["passed", "failed"]
    problem: str = ""
    seconds: float = 0

    def describe(self) -> str:
        """One line for people."""
        schema = {"written": "new schema with what the new code wrote", "reverted": "schema taken back"}
        where = schema.get(self.on, f"{self.on} schema")
        return f"{self.code} code on {where}: {self.outcome}" + (f": {self.problem}" if self.problem else "")


class Statement(Model):
    """One statement that a migration ran, with what it cost on the copy."""

    sql: str
    seconds: float
    lock: str = Field("", description="the strongest on a table that was there before; empty: none is known")
    tables: tuple[str, ...] = Field((), description="those that were there before and are locked so")
    rewrites: tuple[str, ...] = Field((), description="tables that were written anew")
    locked_seconds: float = Field(0, description="until its transaction ended")

    @property
    def blocks_writers(self) -> bool:
        """Whether nobody could write into one of its tables meanwhile."""
        return self.lock in BLOCKS_WRITERS


class LintFinding(Model):
    """What the linter says of a statement, and what the policy makes of it."""

    rule: str
    message: str
    sql: str
    advice: Literal["warn", "block", "waived"]
    remark: str = Field("", description="why it was let pass, or why it is no more")

    def describe(self) -> str:
        """One line for people."""
        return f"{self.rule} ({self.advice}{f': {self.remark}' if self.remark else ''}): {self.message}"


class LintRemark(Model):
    """What the linter says of a statement, whatever that is worth by then."""

    rule: str
    message: str
    sql: str


class Rehearsal(Model):
    """What a rehearsal showed; two of equal `inputs` show the same, where they are conclusive."""

    app: str
    inputs: str
    at: datetime
    live: str = Field(description="fingerprint of the release whose code is the old one")
    release: str = Field(description="fingerprint of the release whose code is the new one")
    environment: str = Field("", description="for which it was asked; the same inputs may show it for others")
    data: str = Field(description="which backup the copy was made from, or that it was the schema alone")
    applied: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    sql_sha256: str = Field("", description="of the SQL that ran, in its order")
    linted: tuple[LintRemark, ...] = Field((), description="all that the linter said")
    findings: tuple[LintFinding, ...] = Field(
        (), description="what of it counts, by the policy and on the day of its use"
    )
    cells: tuple[CodeOnSchema, ...] = ()
    problem: str = Field("", description="why the migrations could not be run on the copy")
    inconclusive: str = Field("", description="why nothing is proven")
    waited: tuple[str, ...] = Field((), description="migrations that were held back, as they were where they count")
    steps_back: int = Field(0, description="how many migrations were taken back, where that was tried")
    back_to: tuple[str, ...] = Field((), description="the versions that was taken back to, of a tool that names them")
    remarks: tuple[str, ...] = Field((), description="what was not tried, and why")
    seconds: float = 0

    def outcome(self, code: Code, on: Schema) -> CodeOnSchema | None:
        """Return how that version got on with that schema; none: it was not tried."""
        return next((cell for cell in self.cells if (cell.code, cell.on) == (code, on)), None)

    def _passed(self, code: Code, on: Schema) -> bool:
        found = self.outcome(code, on)
        return found is not None and found.outcome == "passed"

    @property
    def conclusive(self) -> bool:
        """Whether it would show the same again: where nothing was proven, a busy machine may have been why."""
        new = self.outcome("new", "new")
        return self.rollback != "unknown" and (new is None or new.outcome == "passed")

    @property
    def runs_beside(self) -> bool:
        """Whether the old code runs on the new schema, also on what the new code wrote there."""
        written = self.outcome("old", "written")
        return self._passed("old", "new") and (written is None or written.outcome == "passed")

    @property
    def rollback(self) -> Rollback:
        """What going back to the old code needs; not known where the old code does not pass on its own schema."""
        if self.inconclusive or self.problem or not self._passed("old", "old"):
            return "unknown"
        if self.runs_beside:
            return "safe"
        return "down" if self._passed("old", "reverted") else "recovery"

    @property
    def obstacle(self) -> str:
        """Why the old code cannot go on, in one line."""
        failed = [cell for cell in self.cells if cell.code == "old" and cell.on in ("new", "written")]
        return next((cell.describe() for cell in failed if cell.outcome == "failed"), "")

    @property
    def longest_lock(self) -> Statement | None:
        """The statement that kept writers out of a table for longest; none kept them out."""
        return max(
            (one for one in self.statements if one.blocks_writers), key=lambda one: one.locked_seconds, default=None
        )

    def describe(self) -> str:
        """One line for people."""
        why = self.problem or self.inconclusive or self.obstacle
        return (
            f"{ROLLBACK[self.rollback]}{f' ({why})' if why else ''}; rehearsed on {self.data} in {self.seconds:.1f} s"
        )

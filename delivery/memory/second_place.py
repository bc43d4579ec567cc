"""A second place in memory: copies of rows that outlive the environment, and servers they are restored into."""

from datetime import UTC, datetime
from secrets import token_hex

from delivery.errors import Misconfigured, Rejected
from delivery.memory.behaviour import MemoryState
from delivery.ports.backups import Restored
from delivery.ports.drills import Drill
from delivery.ports.second_place import Copies

WHERE = "another part of memory"


class MemorySecondPlace:
    """Keeps copies of the rows of a database; what is wrong with them is what the place's behaviour says."""

    def __init__(self, state: MemoryState, environment: str) -> None:
        self.state, self.environment = state, environment

    def copies(self) -> Copies:
        """Return how many there are, and what the behaviour says is wrong with them."""
        newest = max((at for at, _ in self.state.copies.values()), default=None)
        problem = self.state.behaviour.copy_problem
        return Copies(where=WHERE, newest=newest, lag_seconds=0.1, count=len(self.state.copies), problem=problem)

    def send(self, run: str) -> Copies:
        """Copy the rows as they are, once for a run; Rejected as often as the behaviour says so."""
        self.state.behaviour.during("send a copy")
        if self.state.database is None:
            raise Rejected(f"there is no database of {self.environment} to copy")
        sent = {name for name in self.state.copies if name.startswith(f"{run}-")}
        if not sent:
            rows = self.state.databases.get(self.state.database.name, ())
            self.state.copies[f"{run}-{token_hex(2)}"] = datetime.now(UTC), rows
        return self.copies()

    def drill(self, run: str, *, deadline_seconds: float) -> Drill:
        """Return what the behaviour says, or that the newest copy has come back; Rejected where there is none."""
        self.state.behaviour.during("drill a copy")
        told = self.state.behaviour.drill_of_copy()
        if told:
            return told
        _, (_, rows) = self._find("latest")
        fields = {"where": WHERE, "tables": 1, "rows": len(rows), "rto_seconds": 0.3, "rpo_seconds": 0.1}
        return Drill.model_validate({"at": datetime.now(UTC), "outcome": "pass", **fields})

    def restore(self, name: str, into: str, run: str) -> Restored:
        """Put the rows of a copy onto a new server."""
        found, (_, rows) = self._find(name)
        if into in self.state.elsewhere:
            raise Misconfigured(f"server {into} in {WHERE}", "is there already", "another name")
        self.state.elsewhere[into] = rows
        return Restored(backup=found, database=into, tables=1, rows=len(rows), seconds=0.1)

    def _find(self, name: str) -> tuple[str, tuple[datetime, tuple[str, ...]]]:
        newest_first = sorted(self.state.copies, key=lambda one: self.state.copies[one][0], reverse=True)
        matching = newest_first[:1] if name == "latest" else [one for one in newest_first if one.startswith(name)]
        if len(matching) != 1:
            allowed = ", ".join(newest_first) or "none is there"
            raise Misconfigured(f"copy {name} of {self.environment} in {WHERE}", "is not there", allowed)
        return matching[0], self.state.copies[matching[0]]

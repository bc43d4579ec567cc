"""What arrived and is not known to be taken up yet: on disk before it is answered, and there until it is."""

import hashlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

from delivery.home import Home
from delivery.hooks.arrival import Arrival
from delivery.model import Model

FIRST_SECONDS, MOST_SECONDS = 30.0, 3600.0  # between two times that it is told, while nobody has taken it up
GIVEN_UP_SECONDS = 7 * 86400.0
# A row is there for ever, so that nothing counts twice; once it is taken up, its content is not kept.
_SCHEMA = """
create table if not exists deliveries (connection text, delivery text, primary key (connection, delivery));
create table if not exists bodies (connection text, digest blob, primary key (connection, digest));
create table if not exists arrivals (
    identity text primary key, state text not null, due real not null, kept real not null, tries integer not null,
    starts_runs integer not null,    content text, reason text not null default ''
);
create index if not exists arrivals_due on arrivals (state, due);
"""


class Delivery(NamedTuple):
    """What one request brought: its happenings, and by what it is known again."""

    connection: str
    identity: str
    digest: bytes | None
    arrivals: tuple[Arrival, ...]

    @classmethod
    def of(cls, arrivals: Sequence[Arrival], connection: str, identity: str, body: bytes | None) -> "Delivery":
        """Return the delivery; with `body` the same body under another identity is the same delivery."""
        return cls(connection, identity, hashlib.sha256(body).digest() if body is not None else None, tuple(arrivals))


class Waiting(Model):
    """An arrival that is not known to be taken up."""

    arrival: Arrival
    is_told: bool
    tries: int


class Told(NamedTuple):
    """An arrival that the server was told of, as far as it is asked after."""

    identity: UUID
    starts_runs: bool
    kept: datetime


class Counts(Model):
    """How many arrivals are in which state."""

    waiting: int = 0
    told: int = 0
    taken: int = 0
    refused: int = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing remains to be told, or to be asked after."""
        return self.waiting + self.told == 0


class Spool:
    """Arrivals in a SQLite file: a transaction is on the disk when it has returned, and whole or not there at all."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = Lock()
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._file.execute("pragma journal_mode=wal")
        self._file.execute("pragma synchronous=full")  # https://www.sqlite.org/pragma.html#pragma_synchronous
        self._file.executescript(_SCHEMA)

    @classmethod
    def of(cls, home: Home) -> "Spool":
        """Return that of a platform."""
        return cls(home.root / "hooks" / "spool.sqlite")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()

    def keep(self, deliveries: Sequence[Delivery]) -> list[bool]:
        """Write all of them to the disk, at once; return of each whether it is new."""
        with self._changing():
            return [self._keep(one) for one in deliveries]

    def due(self, limit: int, now: float | None = None) -> list[Waiting]:
        """Return arrivals that are to be told now, the oldest first."""
        rows = self._read(
            "select content, state, tries from arrivals where state in ('waiting', 'told') and due <= ?"
            " order by kept, rowid limit ?",
            (time.time() if now is None else now, limit),
        )
        return [
            Waiting(arrival=Arrival.model_validate_json(content), is_told=state == "told", tries=tries)
            for content, state, tries in rows
        ]

    def told(self, identities: Iterable[UUID], now: float | None = None) -> None:
        """Note that the server was told of them, and when that is done again unless they are taken up."""
        now = time.time() if now is None else now
        with self._changing():
            for identity in identities:
                self._file.execute(
                    "update arrivals set state = 'told', tries = tries + 1, due = ? + min(?, ? * (1 << min(tries, 10)))"
                    " where identity = ? and state in ('waiting', 'told')",
                    (now, MOST_SECONDS, FIRST_SECONDS, str(identity)),
                )

    def unconfirmed(self, limit: int) -> list[Told]:
        """Return arrivals that are told and not known to be taken up; those that were told most often come last."""
        rows = self._read(
            "select identity, starts_runs, kept from arrivals where state = 'told' order by tries, kept limit ?",
            (limit,),
        )
        return [
            Told(UUID(identity), bool(starts_runs), datetime.fromtimestamp(kept, UTC))
            for identity, starts_runs, kept in rows
        ]

    def taken(self, identities: Iterable[UUID]) -> None:
        """Note that they are taken up: nothing remains to be done for them."""
        self._end(identities, "taken", "")

    def refused(self, identities: Iterable[UUID], reason: str) -> None:
        """Note that the server will never take them."""
        self._end(identities, "refused", reason)

    def give_up(self, now: float | None = None) -> int:
        """Note of what was told in vain for a week that it is not taken up; return how many that are."""
        since = (time.time() if now is None else now) - GIVEN_UP_SECONDS
        with self._changing():
            return self._file.execute(
                "update arrivals set state = 'refused', reason = 'nothing took it up within a week'"
                " where state = 'told' and kept < ?",
                (since,),
            ).rowcount

    def counts(self) -> Counts:
        """Return how many are in which state."""
        return Counts(**dict(self._read("select state, count(*) from arrivals group by state", ())))

    def _keep(self, delivery: Delivery) -> bool:
        if not self._is_new("deliveries", (delivery.connection, delivery.identity)):
            return False
        if delivery.digest and not self._is_new("bodies", (delivery.connection, delivery.digest)):
            return False
        for one in delivery.arrivals:
            self._file.execute(
                "insert or ignore into arrivals (identity, state, due, kept, tries, starts_runs, content)"
                " values (?, 'waiting', 0, ?, 0, ?, ?)",
                (str(one.identity), time.time(), one.starts_runs, one.model_dump_json()),
            )
        return True

    def _is_new(self, table: str, key: tuple[object, ...]) -> bool:
        return self._file.execute(f"insert or ignore into {table} values (?, ?)", key).rowcount == 1  # noqa: S608

    def _end(self, identities: Iterable[UUID], state: str, reason: str) -> None:
        with self._changing():
            for identity in identities:
                self._file.execute(
                    "update arrivals set state = ?, reason = ?, content = null where identity = ?",
                    (state, reason, str(identity)),
                )

    def _read(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._file.execute(query, values).fetchall()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            self._file.execute("begin immediate")
            try:
                yield
                self._file.execute("commit")
            except BaseException:
                if self._file.in_transaction:  # SQLite itself has rolled back after most errors, and not after all
                    self._file.execute("rollback")
                raise

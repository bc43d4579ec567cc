"""What a PostgreSQL server did for a migration: each statement with its seconds and the locks that it held.

The server writes statements and their durations into its log (`log_min_duration_statement`); event triggers write the
locks beside them: https://www.postgresql.org/docs/current/event-trigger-definition.html.
"""

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from delivery.programs import postgres_commands
from delivery.programs.postgres_change import in_database
from delivery.releases.rehearsal import LOCKS, Statement

FOLDER = "/tmp/headway-statements"  # noqa: S108  # in the server's own container
FILE = f"{FOLDER}/log.csv"
SETTINGS = {
    "logging_collector": "on",
    "log_destination": "csvlog",
    "log_directory": FOLDER,
    "log_filename": "log",
    "log_rotation_age": "0",
    "log_rotation_size": "0",
    "log_min_duration_statement": "0",
    "log_timezone": "UTC",
}
SCHEMA = "headway_rehearsal"
# Columns of the log: https://www.postgresql.org/docs/current/runtime-config-logging.html#RUNTIME-CONFIG-LOGGING-CSVLOG
_AT, _USER, _DATABASE, _SESSION, _SEVERITY, _MESSAGE = 0, 1, 2, 5, 11, 13
_LOCKS, _REWRITE = "headway-locks ", "headway-rewrite "
_DURATION = re.compile(r"duration: ([0-9.]+) ms  (?:statement|execute [^:]*): (.*)", re.DOTALL)
# What tools keep their own books in; and what a driver asks by itself.
_BOOKS = re.compile(r"\b(alembic_version|flyway_schema_history|databasechangelog(lock)?)\b", re.IGNORECASE)
# What a statement holds has no limit: its whole text stands in one field.
csv.field_size_limit(sys.maxsize)


def watch_script(database: str) -> str:
    """Return a script that has the server write down, from now on, which locks each change of the schema holds."""
    return f"""{in_database(database)}set client_min_messages = error;
create schema {SCHEMA};
create function {SCHEMA}.locks() returns event_trigger language plpgsql security definer set search_path = pg_catalog
as $$ begin raise log '{_LOCKS}%', (
  select coalesce(json_agg(json_build_array(relation, mode)), '[]') from pg_locks
  where pid = pg_backend_pid() and locktype = 'relation' and granted); end $$;
create function {SCHEMA}.rewrites() returns event_trigger language plpgsql security definer
set search_path = pg_catalog as $$ begin
  raise log '{_REWRITE}%', pg_event_trigger_table_rewrite_oid()::regclass; end $$;
create event trigger {SCHEMA}_locks on ddl_command_end execute function {SCHEMA}.locks();
create event trigger {SCHEMA}_rewrites on table_rewrite execute function {SCHEMA}.rewrites();
"""  # noqa: S608  # names of our own


def unwatch_script(database: str) -> str:
    """Return a script that takes away what `watch_script` made."""
    return (
        f"{in_database(database)}set client_min_messages = error;\n"
        f"drop event trigger if exists {SCHEMA}_locks;\ndrop event trigger if exists {SCHEMA}_rewrites;\n"
        f"drop schema if exists {SCHEMA} cascade;\n"
    )


def tables_script(database: str) -> str:
    """Return a script that prints number and name of each table that is there, as JSON."""
    return (
        f"{in_database(database)}select coalesce(json_object_agg(c.oid, c.oid::regclass), '{{}}') "  # noqa: S608
        "from pg_class c "
        "join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'm') "
        f"and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast', '{SCHEMA}');\n"
    )


def mark_script(word: str) -> str:
    """Return SQL that leaves a word in the log, between what was before it and what comes after."""
    return f"select '{word}';\n"


@dataclass
class _Session:
    """What is known of a session while its lines are read."""

    tables: Mapping[str, str]
    found: list[Statement]
    open: bool = False
    locks: list[list[object]] = field(default_factory=list)
    rewrites: list[str] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)
    running: list[tuple[int, datetime]] = field(default_factory=list)  # number of a statement, and when it began

    def read(self, moment: datetime, severity: str, message: str) -> None:
        """Take what the server wrote down: locks and rewrites come before the statement that they are of."""
        if message.startswith(_LOCKS):
            self.locks += json.loads(message[len(_LOCKS) :])
        elif message.startswith(_REWRITE):
            self.rewrites.append(message[len(_REWRITE) :])
        elif severity == "ERROR":  # how long it took is not written down, and what it did is taken back
            self.locks, self.rewrites = [], []
        elif told := _DURATION.match(message):
            self._ran(told[2].strip(), float(told[1]) / 1000, moment)
            self.locks, self.rewrites = [], []

    def _ran(self, sql: str, seconds: float, moment: datetime) -> None:
        """Add a query unless it changed nothing, and follow the transactions that it begins and ends."""
        commands = postgres_commands.commands(sql)
        for command in commands:
            if postgres_commands.begins(command):
                self.open = True
            elif postgres_commands.ends(command):
                self.open = False
        ended = any(postgres_commands.ends(command) for command in commands)
        changed = self._changed(commands)
        if changed:
            self._add(sql, seconds, *self._strongest(commands))
        if ended:
            self._release(moment)
        if changed and self.open:
            self.running.append((len(self.found) - 1, moment - timedelta(seconds=seconds)))
        if ended or not self.open:
            self.seen = set()

    def _changed(self, commands: list[str]) -> bool:
        """Whether a query did more than read and keep a tool's books: what a function does is known by its locks."""
        books = [command for command in commands if _BOOKS.search(command)]
        others = any(command not in books and not postgres_commands.reads(command) for command in commands)
        return others or (not books and bool(self.locks or self.rewrites))

    def _add(self, sql: str, seconds: float, lock: str, tables: tuple[str, ...]) -> None:
        rewrites, spent = tuple(dict.fromkeys(self.rewrites)), round(seconds, 6)
        self.found.append(
            Statement(sql=sql, seconds=spent, lock=lock, tables=tables, rewrites=rewrites, locked_seconds=spent)
        )

    def _release(self, moment: datetime) -> None:
        """Say of what ran in a transaction that its locks were held until now."""
        for number, began in self.running:
            held = round((moment - began).total_seconds(), 3)
            self.found[number] = self.found[number].model_copy(update={"locked_seconds": held})
        self.running = []

    def _strongest(self, commands: list[str]) -> tuple[str, tuple[str, ...]]:
        """Return the strongest lock that came with a query, and the tables it is on."""
        numbers = [(_words(str(mode)), str(number)) for number, mode in self.locks]
        held = {(mode, self.tables[number]) for mode, number in numbers if number in self.tables}
        new, self.seen = held - self.seen, self.seen | held
        taken: list[tuple[str, tuple[str, ...]]] = [(mode, (table,)) for mode, table in new]
        taken += [found for found in map(postgres_commands.locked, commands) if found[0]]
        lock = max((mode for mode, _ in taken), key=LOCKS.index, default="")
        return lock, tuple(sorted({table for mode, tables in taken if mode == lock for table in tables}))


def parse_statements(
    log: str, tables: Mapping[str, str], database: str, *, between: tuple[str, str], but: str
) -> tuple[Statement, ...]:
    """Return the statements that ran in `database` between two marks; those of the role `but` are not among them.

    `tables` are names by number of what was there before: what a migration itself made is locked to nobody's harm.
    """
    sessions: dict[str, _Session] = {}
    found: list[Statement] = []
    for row in _between(csv.reader(io.StringIO(log, newline="")), between):
        if row[_DATABASE] == database and row[_USER] != but:
            session = sessions.setdefault(row[_SESSION], _Session(tables, found))
            session.read(_moment(row[_AT]), row[_SEVERITY], row[_MESSAGE])
    return tuple(found)


def _words(mode: str) -> str:
    """Return `ACCESS EXCLUSIVE` of `AccessExclusiveLock`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", mode.removesuffix("Lock")).upper()


def _between(rows: Iterable[list[str]], marks: tuple[str, str]) -> Iterator[list[str]]:
    inside = False
    for row in rows:
        if len(row) <= _MESSAGE:  # the last one, of which a part was written
            continue
        if marks[1] in row[_MESSAGE]:
            return
        if inside:
            yield row
        inside = inside or marks[0] in row[_MESSAGE]


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f UTC")  # only differences count

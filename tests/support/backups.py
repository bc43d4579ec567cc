"""A source and a copy on two servers in memory, with a folder of backups between them, for tests of backups."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from docker.models.containers import Container
from pydantic import SecretStr

from delivery.docker.database import backup
from delivery.docker.database.database import EPHEMERAL, accepts_queries
from delivery.docker.database.database_image import database_image
from delivery.docker.database.roles import server_env
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.sandbox.probe import wait_until
from delivery.docker.sandbox.sandbox import open_sandbox
from delivery.home import Home
from delivery.ports.database import DatabaseAccess
from delivery.ports.table_states import TableState
from delivery.programs import postgres

CASES = Path(__file__).parents[1] / "docker" / "cases" / "postgres"
NAMES = sorted(path.stem for path in CASES.glob("*.sql"))
DATABASE = "shop"
# What every case holds beside its own: ten damages need something to damage.
BESIDE = """
create role guest;
create table public.parcel(id serial primary key, note text, weight int, constraint light check (weight < 100));
insert into public.parcel(note, weight) select 'parcel ' || n, n from generate_series(1, 20) n;
create index parcel_weight on public.parcel(weight);
create table public.lost as select id, note from public.parcel;
create table public.doubled as select id, note from public.parcel;
create table public.changed as select id, note from public.parcel;
create table public.forgotten as select id, note from public.parcel;
alter table public.lost replica identity full; alter table public.changed replica identity full;
alter table public.forgotten replica identity full;
create table public.emptied(at timestamptz); insert into public.emptied values ('2026-03-01 12:00+00');
create function public.stamp() returns trigger language plpgsql as $$begin return new; end$$;
create trigger stamp before update on public.parcel for each row execute function public.stamp();
create view public.heavy as select * from public.parcel where weight > 10;
create materialized view public.counted as select count(*) from public.parcel;
grant select on public.parcel to guest; comment on table public.parcel is 'what is sent';
alter database DB set lock_timeout = '5s';
"""
EMPTIED = f"""drop database if exists {DATABASE} with (force);
select format('drop role %I', rolname) from pg_roles where oid <> 10 and rolname !~ '^pg_' \\gexec
"""
OTHER = "as many rows, but other content in the copy"
UNLIKE = "not defined in the copy as it is in the database"
# What is done to a copy → the words that must tell of it.
DAMAGES = {
    "delete from public.lost where id = 7": "table public.lost: 20 in the database, 19 in the copy",
    "insert into public.doubled select * from public.doubled where id = 7": (
        "table public.doubled: 20 in the database, 21 in the copy"
    ),
    "update public.changed set note = 'other' where id = 7": f"table public.changed: {OTHER}",
    "update public.forgotten set note = null where id = 7": f"table public.forgotten: {OTHER}",
    "truncate public.emptied": "table public.emptied: 1 in the database, 0 in the copy",
    "select setval('public.parcel_id_seq', 3)": "sequence public.parcel_id_seq: 20 in the database, 3 in the copy",
    "drop index public.parcel_weight": "index public.parcel_weight is missing in the copy",
    "alter table public.parcel drop constraint light": f"table public.parcel: {UNLIKE}",
    "alter table public.parcel disable trigger stamp": f"trigger public.parcel stamp: {UNLIKE}",
    "create or replace function public.stamp() returns trigger language plpgsql as $$begin return old; end$$": (
        f"function public.stamp(): {UNLIKE}"
    ),
    "refresh materialized view public.counted with no data": (
        "materialized view public.counted: filled in the database, empty in the copy"
    ),
    "drop view public.heavy": "view public.heavy is missing in the copy",
    "revoke select on public.parcel from guest": "grants on table public.parcel is missing in the copy",
    "alter database shop reset lock_timeout": "setting lock_timeout is missing in the copy",
    "alter role guest login": "role guest: not the same in the copy",
    "create table public.surplus()": "table public.surplus is only in the copy",
}
# What is done to the copy of one case.
OWN_DAMAGES = {
    "column-t": {"update event set note = 'n9' where id = 5": f"table public.event: {OTHER}"},
    "db-search-path": {
        "alter database shop reset search_path": "setting search_path is missing in the copy",
        "alter table shop.invoice drop constraint invoice_customer_fkey": (
            "fk constraint shop.invoice invoice_customer_fkey is missing in the copy"
        ),
    },
    "db-timezone": {
        "alter database shop set timezone = 'UTC'": (f"setting timezone: {UNLIKE}"),
        "update visit set at = at + interval '9 hours'": (f"table public.visit: {OTHER}"),
    },
    "empty-matview": {
        "refresh materialized view total": (
            "materialized view public.total: empty in the database, filled in the copy"
        ),
    },
    "event-trigger-audit": {
        "alter event trigger audit disable": (f"event trigger audit: {UNLIKE}"),
        "insert into ddl_log(tag) values ('CREATE INDEX')": "table public.ddl_log: 0 in the database, 1 in the copy",
    },
    "event-trigger-forbids": {"drop event trigger no_ddl": "event trigger no_ddl is missing in the copy"},
    "everything": {
        "alter database shop reset default_transaction_read_only": (
            "setting default_transaction_read_only is missing in the copy"
        ),
        "alter role clerk in database shop reset work_mem": "setting work_mem of role clerk is missing in the copy",
        "select lo_put(4711, 0, 'b')": "large objects of the database: not the same in the copy",
        "alter table shop.customer disable row level security": ("row security shop.customer is missing in the copy"),
        "alter event trigger seen disable": f"event trigger seen: {UNLIKE}",
        "revoke connect on database shop from reader": "grants on database shop is missing in the copy",
        "drop index shop.persons_by_name": "index shop.persons_by_name is missing in the copy",
        "revoke reader from clerk": "role clerk: not the same in the copy",
        "comment on database shop is 'another'": (f"comment on database shop: {UNLIKE}"),
        'truncate shop."odd ""|"" :name\nname"': (
            'table shop."odd ""|"" :name\\nname": 1 in the database, 0 in the copy'
        ),
        "alter table shop.invoice drop constraint small": "check constraint shop.invoice small is missing in the copy",
    },
    "newline-name": {'drop table "two\nlines"': 'table public."two\\nlines" is missing in the copy'},
    "stale-matview": {"drop materialized view total": "materialized view public.total is missing in the copy"},
}


@dataclass
class Backups:
    """Two servers; `access` is how both are reached."""

    source: Container
    copy: Container
    access: DatabaseAccess

    def begin(self, case: str) -> tuple[TableState, ...]:
        """Make the case's database anew, back it up, and return what was in it."""
        script = f"{BESIDE}{(CASES / f'{case}.sql').read_text()}".replace("database DB", f"database {DATABASE}")
        made = f"create database {DATABASE};\n\\connect {DATABASE}\nset search_path = public;\n{script}"
        self.sql(self.source, f"{EMPTIED}{made}", "template1")
        return backup.take(self.source)

    def restore(self) -> tuple[TableState, ...]:
        """Restore the backup and return what is in the copy."""
        self.sql(self.copy, EMPTIED, "template1")
        backup.restore(self.copy, self.access)
        return self.look()

    def look(self) -> tuple[TableState, ...]:
        """Return what is in the copy."""
        return backup.look(self.copy)

    def rewrite(self) -> tuple[TableState, ...]:
        """Return in which words the server writes the definitions down once they were read in; the copy is lost."""
        return backup.rewrite(self.copy, self.access)

    def sql(self, server: Container, script: str, database: str = DATABASE) -> str:
        """Run a script on a server without event triggers and limits in its way."""
        shell, option, feed, _ = postgres.psql_argv(script)
        argv = [shell, option, f"export PGDATABASE={database}; {feed}", f"set search_path = public;\n{script}"]
        code, output, errors = run_in(server, argv)
        assert code == 0, errors
        return output


@contextmanager
def two_servers(home: Home, image: str) -> Iterator[Backups]:
    """Yield a source and a copy that answer."""
    with open_sandbox(home, "run-1", "backups") as sandbox:
        access = DatabaseAccess(name=DATABASE, password=SecretStr("of a test"))
        own, tmpfs = database_image(sandbox.client, image).in_memory()
        env = {**server_env(access, None), **access.client_env(), **own, "PGHOST": "127.0.0.1"}
        options = {
            "volumes": {sandbox.add_volume(): {"bind": backup.VOLUME, "mode": "rw"}},
            "tmpfs": tmpfs,
        }
        source, copy = (sandbox.start(role, image, EPHEMERAL, env=env, **options) for role in ("source", "copy"))
        for server in (source, copy):
            wait_until(partial(accepts_queries, server, access), server, backup.START_SECONDS)
        yield Backups(source, copy, access)

"""PostgreSQL's own programs: their arguments, the scripts they run, and what they print."""

from delivery.backup import TableState

DUMP = "/backup/database.dump"
ROLES = "/backup/roles.sql"
EARLIER = "earlier"
SENTINEL = "headway_sentinel"  # a schema of our own: the application's tables are only read

# One line a thing, "kind|name|rows|checksum". The checksum does not depend on the order of rows: a restored table
# has another one. It is a sum, so that a large table needs no memory.
_TABLES = """
select format($$select 'table', %L, count(*),
  coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint::numeric), 0) from %I.%I t$$,
  n.nspname || '.' || c.relname, n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm') and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
order by 1 \\gexec
"""
_SCHEMA = """
select 'schema', 'columns', count(*), md5(string_agg(concat_ws(' ', table_schema, table_name, column_name, data_type,
  is_nullable, column_default), ';' order by table_schema, table_name, column_name))
from information_schema.columns where table_schema not in ('pg_catalog', 'information_schema');
select 'schema', 'indexes', count(*),
  md5(coalesce(string_agg(schemaname || '.' || indexdef, ';' order by indexdef), ''))
from pg_indexes where schemaname not in ('pg_catalog', 'information_schema');
select 'schema', 'constraints', count(*), md5(coalesce(string_agg(conrelid::regclass || ' ' ||
  pg_get_constraintdef(oid), ';' order by conrelid::regclass::text, pg_get_constraintdef(oid)), ''))
from pg_constraint where connamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace);
"""


def _sequences(kind: str) -> str:
    """Return the part of a look that tells of the sequences, under the name `kind`."""
    return f"""
select format($$select '{kind}', %L, last_value, is_called::text from %I.%I$$,
  n.nspname || '.' || c.relname, n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'S' and n.nspname not like 'pg\\_%' order by 1 \\gexec
"""  # noqa: S608  # the two words it is given stand in this file


_LOOK = _TABLES + _sequences("sequence") + _SCHEMA


def ready_argv(user: str, database: str) -> list[str]:
    """Return the command that succeeds when the server answers on TCP."""
    return ["pg_isready", "-q", "-h", "127.0.0.1", "-U", user, "-d", database]


def write_sentinel_script(value: str) -> str:
    """Return SQL that writes a row nobody else could have written; `value` is hexadecimal."""
    return (
        f"create schema if not exists {SENTINEL};\n"
        f"create table if not exists {SENTINEL}.row (value text primary key, at timestamptz default now());\n"
        f"insert into {SENTINEL}.row (value) values ('{value}');\n"
    )


def remove_sentinel_script() -> str:
    """Return SQL that removes every row of ours."""
    return f"drop schema if exists {SENTINEL} cascade;\n"


def dump_script() -> str:
    """Return a psql script that dumps the database and looks at it within one snapshot: both see the same rows.

    Sequences are looked at before as well: no snapshot holds them still, the backup has a value in between.
    """
    return (
        f"{_sequences(EARLIER)}"
        "begin isolation level repeatable read read only;\n"
        "select pg_export_snapshot() as snapshot \\gset\n"
        "\\setenv SNAPSHOT :snapshot\n"
        f'\\! pg_dump --format=custom --snapshot="$SNAPSHOT" --file={DUMP} || rm -f {DUMP}\n'
        f"{_LOOK}commit;\n"
        f"\\! pg_dumpall --roles-only --no-role-passwords --file={ROLES} || rm -f {ROLES}\n"
    )


def look_script() -> str:
    """Return a psql script that prints what is in the database."""
    return _LOOK


def damage_script() -> str:
    """Return SQL that takes a row away: a comparison that does not see it proves nothing."""
    return f"truncate {SENTINEL}.row;\n"


def psql_argv(script: str) -> list[str]:
    """Return the call that runs a script up to its first error; PG… variables say where and who."""
    feed = 'printf "%s" "$0" | psql -XqAt -F "|" -v ON_ERROR_STOP=1'
    return ["sh", "-c", feed, script]


def restore_argv(database: str) -> list[str]:
    """Return the call that restores the dump and ends at the first error."""
    return ["pg_restore", "--exit-on-error", "--no-password", "--dbname", database, DUMP]


def parse_look(output: str) -> tuple[TableState, ...]:
    """Return what a look printed; lines of something else are left out."""
    found: list[TableState] = []
    earlier: dict[str, int] = {}
    for line in output.splitlines():
        kind, _, rest = line.partition("|")
        if kind not in ("table", "sequence", "schema", EARLIER):
            continue
        name, rows, checksum = rest.rsplit("|", 2)
        if kind == EARLIER:
            earlier[name] = int(rows)
        else:
            before = earlier.get(name) if kind == "sequence" else None
            found.append(TableState(kind=kind, name=name, rows=int(rows), checksum=checksum, earlier=before))
    return tuple(found)

"""PostgreSQL on a server whose administrator is no superuser: looks, marks and transfers over the network.

Such an administrator may not read `pg_largeobject`, and may not set `session_replication_role`.
"""

from delivery.programs.postgres import MAINTENANCE, sentinel_of
from delivery.programs.postgres_change import in_database, restore_into_argv
from delivery.programs.postgres_look import (
    FIRST_SENTINEL,
    MATERIALIZED,
    OWN,
    PINNED_FOR_ALL,
    ROLES,
    SENTINEL,
    SENTINEL_TEXT,
    TABLES,
    sequences,
    summed,
)

SOURCE_PASSWORD, SOURCE = "SOURCE_PASSWORD", "SOURCE"
DUMP = "/tmp/headway-backup/database.dump"  # noqa: S108  # within a task of its own
_OURS = f"""case when oid >= {FIRST_SENTINEL}::oid
  then position(convert_to('{SENTINEL_TEXT}', 'UTF8') in lo_get(oid)) = 1 else false end"""
_OBJECT = summed("concat_ws(' ', oid, lomowner::regrole, lomacl, md5(lo_get(oid)))")
_LARGE_OBJECTS = f"""
select json_build_object('kind', 'large objects', 'name', 'of the database', 'rows', count(*), 'checksum', {_OBJECT})
from pg_largeobject_metadata where not {_OURS};
select json_build_object('kind', '{SENTINEL}', 'name', oid::text, 'rows', 1, 'checksum', md5(lo_get(oid)))
from pg_largeobject_metadata where {_OURS};
"""  # noqa: S608  # all parts stand here
# A server writes 32 numbers of a sequence ahead into its log, and has used all of them up once it recovered, as a copy
# of its disk does: this is the number that both have.
LOGGED = "logged sequence"
_LOGGED = f"""
select format($$select json_build_object('kind', '{LOGGED}', 'name', %L, 'rows', last_value + log_cnt * %s, 'checksum',
  is_called::text, 'unlogged', %L::boolean) from %I.%I$$,
  format('%I.%I', n.nspname, c.relname), s.seqincrement, c.relpersistence = 'u', n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_sequence s on s.seqrelid = c.oid
where c.relkind = 'S' and {OWN} order by n.nspname, c.relname \\gexec
"""  # noqa: S608
_SEE = f"export PGOPTIONS='{PINNED_FOR_ALL}'"
# Programs of two servers in one task: the variables of libpq are those of the one that is filled.
_DUMP = f"""
set -e
mkdir -p "${{0%/*}}"
[ "$(id -u)" != 0 ] || chmod 700 "${{0%/*}}"
{_SEE}
PGHOST="${SOURCE}_HOST" PGPORT="${SOURCE}_PORT" PGUSER="${SOURCE}_USER" PGPASSWORD="${SOURCE_PASSWORD}" \\
  pg_dump --no-password --format=custom --no-tablespaces --file="$0" --dbname="$1"
shift
exec "$@"
"""


def managed_argv(script: str) -> list[str]:
    """Return the call that runs a script up to its first error, with settings that are always the same."""
    return ["sh", "-c", f'{_SEE}; printf "%s" "$0" | psql -XqAtw -v ON_ERROR_STOP=1', script]


def managed_look_script(database: str) -> str:
    """Return a psql script that prints what is in a database, at one moment but for its sequences."""
    begin = "begin isolation level repeatable read read only;\n"
    parts = TABLES + sequences("sequence") + _LOGGED + MATERIALIZED + _LARGE_OBJECTS + ROLES
    return f"{in_database(database)}{begin}{parts}commit;\n"


def managed_mark_script(database: str, value: str) -> str:
    """Return SQL that writes the mark with `value`, which is hexadecimal, also over one that is there."""
    number, text = sentinel_of(value), f"'{SENTINEL_TEXT}{value} at ' || extract(epoch from now())::bigint"
    return (
        f"{in_database(database)}select lo_unlink(oid) from pg_largeobject_metadata "  # noqa: S608
        f"where oid = {number};\nselect lo_from_bytea({number}, convert_to({text}, 'UTF8'));\n"
    )


def transfer_argv(was: str, into: str) -> list[str]:
    """Return the call that makes the new database `into` on one server from `was` on another, up to the first error."""
    return ["sh", "-c", _DUMP, DUMP, was, *restore_into_argv(was, into, DUMP, PINNED_FOR_ALL)]


def rename_script(name: str, into: str) -> str:
    """Return SQL that calls a database otherwise, which nobody uses yet."""
    return f'\\connect {MAINTENANCE}\nalter database "{name}" rename to "{into}";\n'

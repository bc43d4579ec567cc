"""PostgreSQL's own programs: their arguments and the scripts they run."""

from collections.abc import Sequence

from delivery.programs.postgres_look import (
    EARLIER,
    FIRST_SENTINEL,
    LOOK,
    PINNED,
    SENTINEL_TEXT,
    sequences,
    stale_sentinels,
)

DUMP = "/backup/database.dump"
SCHEMA = "/backup/schema.dump"  # how everything is defined, asked for on its own
ROLES = "/backup/roles.sql"
MAINTENANCE = "template1"  # where one is while the database itself is made: every server has it

_MOST_SENTINELS = 0xFFFFFFFF - FIRST_SENTINEL
_DUMP = "pg_dump --format=custom --no-tablespaces"
_SEE = f"PGOPTIONS='{PINNED}'"
# In the last part of a restore come the event triggers, but for materialized views, which are filled after them.
_RESTORE = f"""
set -e
export {_SEE}
pg_restore --list --create "$1" >/backup/list
late='^[0-9]+; [0-9]+ [0-9]+ (COMMENT - )?EVENT TRIGGER '
grep -vE "$late" /backup/list >/backup/first
grep -E "$late" /backup/list >/backup/late || true
restore() {{ pg_restore --exit-on-error --no-password --no-tablespaces "$@"; }}
restore --clean --if-exists --create --use-list=/backup/first --dbname={MAINTENANCE} "$1"
[ ! -s /backup/late ] || restore --use-list=/backup/late --dbname="$0" "$1"
"""


def ready_argv(user: str, database: str) -> list[str]:
    """Return the command that succeeds when the server answers on TCP."""
    return ["pg_isready", "-q", "-h", "127.0.0.1", "-U", user, "-d", database]


def sentinel_of(value: str) -> str:
    """Return the name of the sentinel with `value`, which is hexadecimal."""
    return str(FIRST_SENTINEL + int(value, 16) % _MOST_SENTINELS)


def write_sentinel_script(value: str) -> str:
    """Return SQL that writes what nobody else could have written; `value` is hexadecimal.

    It is a large object, because to make one is no change of the schema: no event trigger forbids or records it, no
    publication sends it to others, and no table of the application is touched. Those of proofs that died are removed.
    """
    text = f"'{SENTINEL_TEXT}{value} at ' || extract(epoch from now())::bigint"
    return (
        f"select lo_unlink(loid) from ({stale_sentinels()}) as stale;\n"  # noqa: S608
        f"select lo_from_bytea({sentinel_of(value)}, convert_to({text}, 'UTF8'));\n"
    )


def remove_sentinel_script(value: str) -> str:
    """Return SQL that removes what `write_sentinel_script` wrote."""
    name = sentinel_of(value)
    return f"select lo_unlink(oid) from pg_largeobject_metadata where oid = {name};\n"  # noqa: S608


def dump_script() -> str:
    """Return a psql script that dumps the database and looks at it within one snapshot: both see the same rows.

    Sequences are looked at before as well: no snapshot holds them still, the backup has a value in between.
    """
    return (
        f"{sequences(EARLIER)}"
        "begin isolation level repeatable read read only;\n"
        "select pg_export_snapshot() as snapshot \\gset\n"
        "\\setenv SNAPSHOT :snapshot\n"
        f'\\! {_DUMP} --snapshot="$SNAPSHOT" --file={DUMP} || rm -f {DUMP}\n'
        f'\\! {_DUMP} --schema-only --snapshot="$SNAPSHOT" --file={SCHEMA} || rm -f {SCHEMA}\n'
        f"{LOOK}commit;\n"
        f"\\! pg_dumpall --roles-only --no-role-passwords --file={ROLES} || rm -f {ROLES}\n"
    )


def look_script() -> str:
    """Return a psql script that prints what is in the database."""
    return LOOK


def damage_script(value: str, tables: Sequence[str]) -> str:
    """Return SQL that takes the sentinel and a row of each table away: a comparison that does not see it is none.

    What may keep a row (event triggers, triggers that are always on, a publication) is switched off before.
    """
    script = remove_sentinel_script(value) + "\\set ON_ERROR_STOP off\n"
    script += "select format('alter event trigger %I disable', evtname) from pg_event_trigger \\gexec\n"
    for name in tables:
        script += f"alter table only {name} disable trigger user;\nalter table only {name} replica identity full;\n"
        script += f"delete from only {name} where ctid = (select ctid from only {name} limit 1);\n"  # noqa: S608
    return script


def psql_argv(script: str) -> list[str]:
    """Return the call that runs a script up to its first error, with settings that are always the same.

    PG… variables say where and who.
    """
    feed = f'printf "%s" "$0" | {_SEE} psql -XqAt -v ON_ERROR_STOP=1'
    return ["sh", "-c", feed, script]


def roles_argv() -> list[str]:
    """Return the call that makes the roles; the one that owns the database is there already, which is no error."""
    made = f"test -f {ROLES} && {_SEE} psql -XqAt -d {MAINTENANCE} -f {ROLES} 2>&1 || true"
    return ["sh", "-c", made]


def restore_argv(database: str, dump: str = DUMP) -> list[str]:
    """Return the call that makes the database anew from a dump, with all that belongs to it, up to the first error.

    Event triggers come last: none of them sees, forbids or records how the database is made.
    """
    return ["sh", "-c", _RESTORE, database, dump]


def definitions_of_dump_argv() -> list[str]:
    """Return the call that prints how everything is defined in the database that was dumped."""
    return ["pg_restore", "--create", "--no-tablespaces", "--file=-", SCHEMA]


def definitions_argv() -> list[str]:
    """Return the call that prints how everything is defined in the database that PGDATABASE names."""
    return ["sh", "-c", f"export {_SEE}; exec pg_dump --schema-only --create --no-tablespaces"]

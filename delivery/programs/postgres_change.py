"""What changes a PostgreSQL server beside the data of an application: other databases, sessions, a password."""

from collections.abc import Iterable

from delivery.programs.postgres import DUMP, MAINTENANCE
from delivery.programs.postgres_look import PINNED

NEW_PASSWORD, ADMIN_PASSWORD = "NEW_PASSWORD", "ADMIN_PASSWORD"  # names of variables
_SECRET = f'\\set password `printf %s "${NEW_PASSWORD}"`\n'
# One at a time: PostgreSQL refuses whoever changes a role that another one changes ("tuple concurrently updated").
_ALONE = "select pg_advisory_lock(hashtext('headway roles')) \\g /dev/null\n"
_SEE = f"PGOPTIONS='{PINNED}'"
# What is the database's own stands in statements that name it: made anew under another name. What is in it follows,
# event triggers last, as in a restore under the old name.
_RESTORE_INTO = f"""
set -e
export PGOPTIONS="$3"
cd "${{2%/*}}"
pg_restore --list --create "$2" >list
own='^[0-9]+; [0-9]+ [0-9]+ (DATABASE|DATABASE PROPERTIES|(ACL|COMMENT|SECURITY LABEL) - DATABASE) '
late='^[0-9]+; [0-9]+ [0-9]+ (COMMENT - )?EVENT TRIGGER '
grep -E "$own" list >own
grep -vE "$own" list | grep -vE "$late" >first || true
grep -E "$late" list >late || true
about='(CREATE|ALTER) DATABASE|(COMMENT|SECURITY LABEL .*|GRANT .*|REVOKE .*) ON DATABASE|ALTER ROLE .* IN DATABASE'
pg_restore --create --no-tablespaces --use-list=own --file=- "$2" |
  sed -E -e "/^.connect /d" -e "s/^($about) \\"?$0\\"?([ ;])/\\1 \\"$1\\"\\4/" >own.sql
psql -Xq -v ON_ERROR_STOP=1 -d {MAINTENANCE} -f own.sql
restore() {{ pg_restore --exit-on-error --no-password --no-tablespaces --dbname="$into" "$@"; }}
into=$1
restore --use-list=first "$2"
[ ! -s late ] || restore --use-list=late "$2"
"""


def login_argv(user: str, database: str, host: str) -> list[str]:
    """Return the command that logs in over the network and asks a question; PGPASSWORD holds the password.

    Not over the loopback: images of PostgreSQL let everybody in there (pg_hba.conf, `trust`).
    """
    return ["psql", "-XqAtw", "-h", host, "-U", user, "-d", database, "-c", "select 1"]


def admin_argv(script: str, user: str, database: str = MAINTENANCE) -> list[str]:
    """Return the call that runs a script within the server's own container, over its socket, up to its first error."""
    feed = f'printf "%s" "$0" | {_SEE} psql -XqAtw -v ON_ERROR_STOP=1 -U "$1" -d "$2"'
    return ["sh", "-c", feed, script, user, database]


def remote_argv(script: str) -> list[str]:
    """Return the call that runs a script over the network, up to its first error; PGHOST and the like say where.

    Whoever asks may be no superuser, as on RDS, and sets nothing that only one may set.
    """
    return ["sh", "-c", 'printf "%s" "$0" | psql -XqAtw -v ON_ERROR_STOP=1', script]


def restore_into_argv(was: str, into: str, dump: str = DUMP, options: str = PINNED) -> list[str]:
    """Return the call that makes a new database `into` from the dump of `was`, up to the first error."""
    return ["sh", "-c", _RESTORE_INTO, was, into, dump, options]


def in_database(name: str) -> str:
    r"""Return the line of psql after which a script goes on in another database."""
    return f'\\connect "{name}"\n'


def names_script() -> str:
    """Return SQL that prints every database that is somebody's."""
    return "select datname from pg_database where not datistemplate and datname <> 'postgres' order by datname;\n"


def swap_script(live: str, kept_as: str, name: str) -> str:
    """Return SQL that calls `live` `kept_as` and `name` as `live` was called, both or neither.

    A database is renamed only without sessions, so those of both are ended; who connects meanwhile waits for the end.
    """
    renamed = "".join(f'alter database "{was}" rename to "{now}";\n' for was, now in ((live, kept_as), (name, live)))
    return f"{_end_sessions(live, name)}begin;\n{renamed}commit;\n"


def drop_script(name: str) -> str:
    """Return SQL that removes a database with its sessions; nothing happens when there is none."""
    drop = f'drop database if exists "{name}";\n'
    return f"\\connect {MAINTENANCE}\nset client_min_messages = error;\n{_end_sessions(name)}{drop}"


def copy_script(name: str, into: str) -> str:
    """Return SQL that makes `into` anew as a copy of `name`, with what is set for it; sessions of both end.

    What is set for a database (`ALTER DATABASE … SET`) and who may use it is no part of a template's copy.
    """
    known = "(select oid from pg_database where datname = '{}')"
    return (
        f"{drop_script(into)}{_end_sessions(name)}"  # noqa: S608  # names of databases
        f"select format('create database %I owner %I template %I', '{into}', pg_get_userbyid(datdba), '{name}') "
        f"from pg_database where datname = '{name}' \\gexec\n"
        f"insert into pg_db_role_setting select {known.format(into)}, setrole, setconfig from pg_db_role_setting "
        f"where setdatabase = {known.format(name)};\n"
        f"update pg_database set datacl = (select datacl from pg_database where datname = '{name}') "
        f"where datname = '{into}';\n"
    )


def _end_sessions(*names: str) -> str:
    listed = ", ".join(f"'{name}'" for name in names)
    return (
        "select pg_terminate_backend(pid) from pg_stat_activity "  # noqa: S608  # names of databases
        f"where datname in ({listed}) and pid <> pg_backend_pid();\n"
    )


def migration_sessions_script(called: str, ended: Iterable[str], living: Iterable[str]) -> str:
    """Return SQL that ends the sessions of a migration and prints how many it found.

    They are those that are `called` so, of the addresses that were `ended`, and of addresses where nobody is any
    more: not one of `living`.
    """
    return (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity "  # noqa: S608  # addresses, and a run's id
        "where backend_type = 'client backend' and pid <> pg_backend_pid() and ("
        f"application_name = '{called}' or host(client_addr) = any({_array(ended)}) "
        f"or host(client_addr) <> all({_array(living)}));\n"
    )


def called_sessions_script(called: str) -> str:
    """Return SQL that ends the sessions that are `called` so, and prints how many it found."""
    return (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity "  # noqa: S608  # a run's id
        f"where backend_type = 'client backend' and pid <> pg_backend_pid() and application_name = '{called}';\n"
    )


def unfinished_script(database: str) -> str:
    """Return SQL that drops the indexes that `CREATE INDEX CONCURRENTLY` left invalid, and prints their names.

    One that is being built is left alone, and so is that of a partitioned table, which is invalid until it has all its
    parts: https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY. So is one that
    cannot be dropped by itself, or not by who asks: no migration shall stop at it.
    """
    left = (
        "from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace "
        "where not i.indisvalid and c.relkind = 'i' and n.nspname !~ '^pg_' "
        "and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid) "
        "and pg_has_role(c.relowner, 'usage') "
        "and not exists (select from pg_depend d where d.objid = i.indexrelid and d.deptype in ('i', 'P', 'S'))"
    )
    return (
        f"{in_database(database)}set client_min_messages = error;\n"  # names of the catalog
        f"select format('%I.%I', n.nspname, c.relname) {left};\n"
        f"select format('drop index concurrently if exists %I.%I', n.nspname, c.relname) {left} \\gexec\n"
    )


def password_script(user: str) -> str:
    """Return a script that gives a role the password that a variable holds: it stands in no argument."""
    return f"{_SECRET}alter role \"{user}\" password :'password';\n"


def roles_script(user: str, database: str, *, creates_databases: bool) -> str:
    """Return a script that makes the application's role when it is not there, and takes from it all but its database.

    The schema `public` is its own as well, which from version 15 on it is by owning the database.
    """
    creates = "createdb" if creates_databases else "nocreatedb"
    lacks = f"where not exists (select from pg_roles where rolname = '{user}')"
    own = "from pg_namespace where nspname = 'public' and pg_get_userbyid(nspowner) = current_user"
    lines = [
        _ALONE.rstrip(),
        f'{_SECRET}\\set administrator `printf %s "${ADMIN_PASSWORD}"`',
        "alter role current_user password :'administrator';",
        f"select format('create role %I login password %L', '{user}', :'password') {lacks} \\gexec",
        f'alter role "{user}" login nosuperuser {creates} nocreaterole noreplication nobypassrls;',
        f'alter database "{database}" owner to "{user}";',
        in_database(database),
        f"select format('alter schema public owner to %I', '{user}') {own} \\gexec",
    ]
    return "\n".join(lines) + "\n"


def managed_roles_script(owner: str, user: str, database: str) -> str:
    """Return a script that makes the application's role and database on a server whose administrator is no superuser.

    `user` gets the password. One that is not the `owner` acts as the owner in all it does: what either makes belongs to
    both. A database can be given only to a role that the administrator is a member of (`ALTER DATABASE … OWNER TO`).
    """
    lines = [
        _ALONE.rstrip(),
        _SECRET.rstrip(),
        *_role_lines(owner),
        *(_role_lines(user) if user != owner else ()),
        f"alter role \"{user}\" login password :'password';",
        f'grant "{owner}" to current_user;',
        *([f'grant "{owner}" to "{user}";', f'alter role "{user}" set role "{owner}";'] if user != owner else ()),
        f"select format('create database %I', '{database}') "  # noqa: S608
        f"where not exists (select from pg_database where datname = '{database}') \\gexec",
        f'alter database "{database}" owner to "{owner}";',
    ]
    return "\n".join(lines) + "\n"


def _role_lines(name: str) -> list[str]:
    return [
        f"select format('create role %I login', '{name}') "  # noqa: S608  # names of roles and databases
        f"where not exists (select from pg_roles where rolname = '{name}') \\gexec"
    ]


def extensions_script(database: str, extensions: Iterable[str]) -> str:
    """Return a script that makes sure the database has these extensions, whoever may create them."""
    lines = "".join(f'create extension if not exists "{name}";\n' for name in extensions)
    return f"{in_database(database)}set client_min_messages = error;\n{lines}"


def _array(addresses: Iterable[str]) -> str:
    listed = ", ".join(f"'{address}'" for address in sorted(addresses))
    return f"array[{listed}]::text[]"

"""What is in a PostgreSQL database: the questions of a look, and what their answers mean."""

import hashlib
import json
import re
from collections.abc import Iterator

from delivery.ports.table_states import TableState

EARLIER = "earlier"
SENTINEL = "sentinel"
# Large objects of ours lie at the end of the numbers, where the server counts to after four thousand million others.
FIRST_SENTINEL = 0xF8000000
SENTINEL_TEXT = "headway sentinel "
# What the server does not hand out to everybody, and what a session of the database or the user may have of its own:
# none of it may change how a value is written down. A client's options go over those of the database and of the role.
# `replica` keeps event triggers and triggers from acting on what only looks or restores (PostgreSQL manual,
# "ALTER EVENT TRIGGER", "session_replication_role").
PINNED_FOR_ALL = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "role": "none",
        "default_transaction_read_only": "off",
        "row_security": "off",
        "search_path": "pg_catalog",
        "timezone": "UTC",
        "datestyle": "ISO,YMD",
        "intervalstyle": "postgres",
        "extra_float_digits": "3",
        "bytea_output": "hex",
        "lc_monetary": "C",
        "xmloption": "content",
        "xmlbinary": "base64",
        "client_encoding": "UTF8",
        "quote_all_identifiers": "off",
        "standard_conforming_strings": "on",
        "statement_timeout": "0",
        "lock_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
    }.items()
)
PINNED = f"{PINNED_FOR_ALL} -c session_replication_role=replica"  # which a superuser alone may set


def summed(expression: str) -> str:
    """Return the expression of SQL for a checksum of rows that does not depend on their order."""
    return f"coalesce(sum(('x' || substr(md5({expression}), 1, 15))::bit(60)::bigint::numeric), 0)::text"


_OURS = f"""loid >= {FIRST_SENTINEL}::oid and pageno = 0
  and position(convert_to('{SENTINEL_TEXT}', 'UTF8') in data) = 1"""
# Those of extensions are made by the extension, except for what an extension asks pg_dump to save.
OWN = """n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and not exists (
  select from pg_depend d join pg_extension e on e.oid = d.refobjid
  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_extension'::regclass
    and d.deptype = 'e' and c.oid <> all(coalesce(e.extconfig, '{}')))"""

# One line of JSON a thing: a name may hold anything. The checksum does not depend on the order of rows: a restored
# table has another one. It is a sum, so that a large table needs no memory. A row is asked for with the dot and the
# star, which no column's name can shadow.
TABLES = f"""
select format($$select json_build_object('kind', 'table', 'name', %L, 'rows', count(*), 'checksum',
  {summed('("headway row".*)::text')}, 'unlogged', %L::boolean) from only %I.%I as "headway row"$$,
  format('%I.%I', n.nspname, c.relname), c.relpersistence = 'u', n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and {OWN} order by n.nspname, c.relname \\gexec
"""  # noqa: S608  # as of the others, all parts stand in this file
# What a materialized view holds is no part of a dump, which makes it anew: it may be stale, or other each time.
MATERIALIZED = f"""
select json_build_object('kind', 'materialized view', 'name', format('%I.%I', n.nspname, c.relname), 'rows', 0,
  'checksum', case when c.relispopulated then 'filled' else 'empty' end)
from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'm' and {OWN};
"""  # noqa: S608
# Zeros at the end of a page may be written down or left out, which nobody who reads the object can tell.
_LARGE_OBJECTS = f"""
select json_build_object('kind', 'large objects', 'name', 'of the database', 'rows', (select count(*)
    from pg_largeobject_metadata where oid not in (select loid from pg_largeobject where {_OURS})), 'checksum',
  (select {summed("concat_ws(' ', m.oid, m.lomowner::regrole, m.lomacl)")} from pg_largeobject_metadata m
    where m.oid not in (select loid from pg_largeobject where {_OURS}))
  || '.' || (select {summed("concat_ws(' ', loid, pageno, rtrim(encode(data, 'hex'), '0'))")}
    from pg_largeobject where rtrim(encode(data, 'hex'), '0') <> ''
      and loid not in (select loid from pg_largeobject where {_OURS})));
select json_build_object('kind', '{SENTINEL}', 'name', loid::text, 'rows', 1, 'checksum', md5(data))
from pg_largeobject where {_OURS};
"""  # noqa: S608
ROLES = """
select json_build_object('kind', 'role', 'name', quote_ident(r.rolname), 'rows', 0, 'checksum', md5(concat_ws(' ',
  r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication, r.rolconnlimit,
  r.rolvaliduntil, r.rolbypassrls, r.rolconfig, (select string_agg(concat(g.rolname, m.admin_option), ',' order by
    g.rolname, m.admin_option) from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid))))
from pg_roles r where r.rolname !~ '^pg_';
"""


def sequences(kind: str) -> str:
    """Return the part of a look that tells of the sequences, as things of `kind`."""
    return f"""
select format($$select json_build_object('kind', '{kind}', 'name', %L, 'rows', last_value, 'checksum',
  is_called::text) from %I.%I$$, format('%I.%I', n.nspname, c.relname), n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'S' and {OWN} order by n.nspname, c.relname \\gexec
"""  # noqa: S608  # the words it is given stand in this file


LOOK = TABLES + sequences("sequence") + MATERIALIZED + _LARGE_OBJECTS + ROLES


def stale_sentinels() -> str:
    """Return a query for large objects of ours that are a day old: whoever wrote them is gone."""
    written = "substring(convert_from(data, 'UTF8') from ' at ([0-9]+)$')::bigint"
    return f"select loid from pg_largeobject where {_OURS} and {written} < extract(epoch from now()) - 86400"  # noqa: S608


def parse_look(output: str) -> tuple[TableState, ...]:
    """Return what a look printed; lines of something else are left out."""
    said = [json.loads(line) for line in output.splitlines() if line.startswith('{"kind" : ')]
    earlier = {one["name"]: (one["rows"], one["checksum"]) for one in said if one["kind"] == EARLIER}
    found: list[TableState] = []
    for one in said:
        if one["kind"] != EARLIER:
            before = earlier.get(one["name"]) if one["kind"] == "sequence" else None
            went_on = before is not None and before != (one["rows"], one["checksum"])
            found.append(TableState(**one, earlier=before[0] if before and went_on else None))
    return tuple(found)


_HEADER = re.compile(r"^-- Name: (.*); Type: ([A-Z ]+); Schema: (.*); Owner: (.*)$", re.MULTILINE)
_SETTING = re.compile(r'^ALTER (?:DATABASE .*?|ROLE (.*) IN DATABASE .*?) SET "?(.*?)"? TO ')
# What pg_dump says between two objects, which depends on their order.
_BETWEEN = re.compile(r"^(\\(un)?restrict |\\connect |SET default_(tablespace|table_access_method) = |--)")
_ABOUT = {"ACL": "grants on", "COMMENT": "comment on", "SECURITY LABEL": "security label of"}


def parse_definitions(script: str) -> tuple[TableState, ...]:
    """Return everything that a script of `pg_dump --schema-only --create` makes, each with a checksum of how."""
    parts = _HEADER.split(script)
    preamble = set(parts[0].splitlines())
    found: dict[tuple[str, str], list[str]] = {}
    for name, kind, schema, owner, text in zip(*(parts[number::5] for number in range(1, 6)), strict=True):
        lines = [line for line in text.splitlines() if line and line not in preamble and not _BETWEEN.match(line)]
        for key, definition in _told(name, kind, schema, lines):
            found.setdefault(key, []).append(f"{owner}\n{definition}")
    return tuple(
        TableState(kind=kind, name=name, rows=0, checksum=_digest(sorted(texts)), definition=True)
        for (kind, name), texts in found.items()
    )


def _told(name: str, kind: str, schema: str, lines: list[str]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield each thing that one entry defines: its kind and name as people say them, and its text."""
    if kind == "DATABASE PROPERTIES":
        for line in lines:
            setting = _SETTING.match(line)
            whose = f" of role {setting[1]}" if setting and setting[1] else ""
            yield ("setting", f"{setting[2].lower()}{whose}") if setting else ("database", name), line
        return
    about = ""
    if kind in _ABOUT:  # of these the name is that of what they are about, after its kind
        about = f"{_ABOUT[kind]} "
        kind, _, name = name.partition(" ")
        lines = sorted(lines)  # in which order somebody was granted something does not matter
    yield (f"{about}{kind.lower()}", name if schema == "-" else f"{schema}.{name}"), "\n".join(lines)


def _digest(texts: list[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()

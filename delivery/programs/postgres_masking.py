"""Masking as SQL: values are replaced in a copy of a PostgreSQL database that nobody else can reach.

The copy is dumped afterwards, and the dump is what goes on: no row version of before, no statistics and no log of the
server is in it, and what is made from rows (indexes, materialized views) is made anew.
"""

from collections.abc import Iterable

from delivery.masking.columns import Catalog, Column
from delivery.masking.fitting import numbers_of
from delivery.masking.plan import Plan
from delivery.programs.postgres import DUMP, ROLES, SCHEMA
from delivery.programs.postgres_look import PINNED
from delivery.programs.postgres_people import EVENTS_AGAIN, EVENTS_OFF, ROW, identifier, literal, rows_of
from delivery.spec.masking import Masking, Rule

KEY = "HEADWAY_MASKING_KEY"  # name of a variable
LAID = "/backup/script.sql"
_FIRST = [
    "Alex",
    "Billie",
    "Chris",
    "Dana",
    "Elliot",
    "Frankie",
    "Gray",
    "Harper",
    "Indigo",
    "Jamie",
    "Kim",
    "Lee",
    "Morgan",
    "Nico",
    "Quinn",
    "Robin",
]
_LAST = [
    "Archer",
    "Baker",
    "Carter",
    "Dyer",
    "Fisher",
    "Glover",
    "Hunter",
    "Miller",
    "Mason",
    "Parker",
    "Potter",
    "Smith",
    "Tanner",
    "Turner",
    "Ward",
    "Weaver",
]
_STREETS = ("Example Street", "Sample Road", "Test Lane", "Model Avenue", "Mock Square", "Demo Way")
_CITIES = ("Exampleton", "Sampleville", "Testford", "Modelbury")
_LOREM = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore "
# The key is a secret of this session: with it, whoever guesses a value could see whether it was there.
_FUNCTIONS = f"""
\\set key `printf %s "${{{KEY}}}"`
set headway.key = :'key';
\\unset key
create function pg_temp.headway_hash(given text) returns text language sql stable strict as $$
  select encode(sha256(convert_to(current_setting('headway.key') || encode(sha256(convert_to(
    current_setting('headway.key') || given, 'UTF8')), 'hex'), 'UTF8')), 'hex') $$;
create function pg_temp.headway_number(given text, at int, below bigint) returns bigint language sql stable strict as $$
  select ('x' || substr(pg_temp.headway_hash(given), at, 15))::bit(60)::bigint % below $$;
create function pg_temp.headway_pick(given text, at int, choices text[]) returns text language sql stable strict as $$
  select choices[1 + pg_temp.headway_number(given, at, cardinality(choices))] $$;
"""
# What acts whatever a session says would write down elsewhere what is replaced; a table that publishes updates, and has
# no key for that, takes none.
_ACTING = """
create temp table headway_acting as
select format('alter table only %s disable trigger %I', tgrelid::regclass, tgname) as off,
  format('alter table only %s enable %s trigger %I', tgrelid::regclass,
    case tgenabled when 'A' then 'always' else 'replica' end, tgname) as again
from pg_trigger where not tgisinternal and tgenabled in ('A', 'R')
union all select format('alter table only %s disable rule %I', ev_class::regclass, rulename),
  format('alter table only %s enable %s rule %I', ev_class::regclass,
    case ev_enabled when 'A' then 'always' else 'replica' end, rulename)
from pg_rewrite where rulename <> '_RETURN' and ev_enabled in ('A', 'R')
union all select format('alter table only %s replica identity full', oid::regclass),
  format('alter table only %s replica identity %s', oid::regclass,
    case relreplident when 'd' then 'default' else 'nothing' end)
from pg_class where relkind in ('r', 'p') and relreplident in ('d', 'n') and oid >= 16384
  and relnamespace <> pg_my_temp_schema() and exists (select from pg_publication);
select off from pg_temp.headway_acting \\gexec
"""
_AGAIN = "select again from pg_temp.headway_acting \\gexec\n"
# What belongs to one environment alone: ways to other servers with their passwords, and settings of the application.
_OWN = """
select format('alter subscription %I disable', subname),
  format('alter subscription %I set (slot_name = none)', subname),
  format('drop subscription %I', subname) from pg_subscription
where subdbid = (select oid from pg_database where datname = current_database()) \\gexec
select format('drop user mapping for %s server %I', case umuser when 0 then 'public' else quote_ident(usename) end,
  srvname) from pg_user_mappings \\gexec
select case setrole when 0 then format('alter database %I reset %I', current_database(), split_part(one, '=', 1))
  else format('alter role %s in database %I reset %I', setrole::regrole, current_database(), split_part(one, '=', 1))
  end
from pg_db_role_setting, unnest(setconfig) as one
where setdatabase = (select oid from pg_database where datname = current_database())
  and split_part(one, '=', 1) like '%.%' \\gexec
\\set ON_ERROR_STOP off
select format('drop role %I', rolname) from pg_roles
where oid >= 16384 and rolname <> current_user order by rolname \\gexec
\\set ON_ERROR_STOP on
"""
_COMMENTS = """
delete from pg_description where objoid >= 16384 or objoid = 2200;
delete from pg_shdescription where classoid = 'pg_database'::regclass;
"""
_ROLES = """
select format('select %L where not exists (select from pg_roles where rolname = %L) \\gexec',
  format('create role %I nologin', rolname), rolname)
from pg_roles where oid >= 16384 and rolname <> current_user order by rolname;
select format('grant %s to %s;', roleid::regrole, member::regrole) from pg_auth_members
where roleid >= 16384 and member >= 16384 order by 1;
"""


def script_argv() -> list[str]:
    """Return the call that runs the script laid at `LAID` up to its first error, which tells no value of a row."""
    return ["sh", "-c", f"PGOPTIONS='{PINNED}' exec psql -XqAt -v ON_ERROR_STOP=1 -v VERBOSITY=terse -f {LAID}"]


def remove_dump_argv() -> list[str]:
    """Return the call that removes the files of the backup that was restored: what is dumped next is masked."""
    return ["rm", "-f", DUMP, SCHEMA, ROLES]


def masking_script(plan: Plan, masking: Masking, catalog: Catalog) -> str:
    """Return SQL that replaces values as planned; the variable `KEY` holds the key, which is thrown away with it."""
    tables: dict[str, list[Column]] = {}
    for column in plan.masked(catalog):
        tables.setdefault(column.table, []).append(column)
    script = [EVENTS_OFF, _FUNCTIONS, _ACTING, *(_update(columns, plan) for columns in tables.values())]
    for name in sorted(plan.truncated):
        script.append(f"delete from {rows_of(catalog.of(name)[0])};\n")  # noqa: S608  # names are quoted
    script.append(_AGAIN)
    if masking.large_objects == "empty":
        script.append("delete from pg_largeobject;\n")
    if masking.comments == "drop":
        script.append(_COMMENTS)
    return "".join(script) + _OWN + EVENTS_AGAIN


def needed_roles_script() -> str:
    """Return SQL that prints a script: it makes, without login and password, the roles that something belongs to."""
    return _ROLES


def _update(columns: Iterable[Column], plan: Plan) -> str:
    columns = list(columns)
    changed = (f"{identifier(one.name)} = {_masked(one, plan)}" for one in columns)
    return f"update {rows_of(columns[0])} as {ROW} set {', '.join(changed)};\n"  # noqa: S608


def _masked(column: Column, plan: Plan) -> str:
    """Return an expression for what a column becomes; null where it is null."""
    rule, value = plan.rules[column.place], f"{ROW}.{identifier(column.name)}"
    if rule.kind == "null":
        return "null"
    if rule.kind == "empty":
        nothing = "'{}'" if column.array or column.family == "json" else "''"
        return f"case when {value} is not null then {nothing}::{column.type} end"
    distinct = column.place in plan.distinct
    if column.array:
        each = made_up(rule, "v", column, distinct=distinct)
        many = f"select array_agg({each} order by n) from unnest({value}) with ordinality as s(v, n)"  # noqa: S608  # names are quoted
        return f"case when {value} is not null then coalesce(({many}), '{{}}') end"
    return made_up(rule, f"{value}::text", column, distinct=distinct)


def made_up(rule: Rule, value: str, column: Column, *, distinct: bool) -> str:
    """Return an expression for a value in the place of `value`: always the same one for it, within one refresh.

    Where values are `distinct`, those made up are as well.
    """
    hashed = f"substr(pg_temp.headway_hash({value}), 1, 32)"
    tail = f"substr(pg_temp.headway_hash({value}), 40, 12)"
    match rule.fake:
        case "name":
            text = f"{_pick(value, 1, _FIRST)} || ' ' || {_pick(value, 16, _LAST)}"
            text += f" || ' ' || {tail}" if distinct else ""
        case "email":
            text = f"'u' || {tail} || '@example.com'"
        case "phone":
            text = f"'+999' || lpad(pg_temp.headway_number({value}, 1, 100000000000)::text, 11, '0')"
        case "address":
            number = f"(1 + pg_temp.headway_number({value}, 30, 200))::text"
            text = f"{number} || ' ' || {_pick(value, 1, _STREETS)} || ', ' || {_pick(value, 16, _CITIES)}"
            text += f" || ' ' || {tail}" if distinct else ""
        case "text":
            again = f"repeat({literal(_LOREM)}, 1 + length({value}) / {len(_LOREM)})"
            text = f"{tail} || ' ' || {again}" if distinct else again
            text = f"left({text}, greatest(length({value}), {16 if distinct else 0}))"
        case "ip":
            text = _address(value, column, distinct=distinct)
        case "date":
            days = f"pg_temp.headway_number({value}, 1, 22000)"
            text = f"to_char('1940-01-01'::date + {days}::int, 'YYYY-MM-DD')"
        case "uuid":
            text = f"{hashed}::uuid::text"
        case "number":
            text = f"pg_temp.headway_number({value}, 1, {numbers_of(column)})::text"
        case None:
            text = hashed
    if column.length is not None:
        text = f"left({text}, {column.length})"
    return text if column.family in ("text", "texts") else f"({text})::{column.type}"


def _pick(value: str, at: int, choices: Iterable[str]) -> str:
    return f"pg_temp.headway_pick({value}, {at}, array[{', '.join(map(literal, choices))}])"


def _address(value: str, column: Column, *, distinct: bool) -> str:
    """Return an address of RFC 3849 for IPv6, or where there must be many, and one of 10.0.0.0/8 otherwise."""
    parts = "||':'||".join(f"substr(pg_temp.headway_hash({value}), {at}, 4)" for at in range(1, 25, 4))
    six = f"('2001:db8:'||{parts})"
    octets = "||'.'||".join(f"pg_temp.headway_number({value}, {at}, 256)::text" for at in (1, 17, 33))
    four = f"('10.'||{octets})"
    if distinct:
        return six
    if column.family == "address":
        return f"case when {value} like '%:%' then {six} else {four} end"
    longest = column.length if column.length is not None else 39
    return four if longest < 39 else f"case when {value} like '%:%' then {six} else {four} end"

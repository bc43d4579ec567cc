"""What a PostgreSQL database has that may be about people: its columns, and what their values look like.

Values are looked at where they are: what comes out of the server are counts, and the words of keys within JSON.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from delivery.masking.columns import Catalog, Column, ForeignKey, Sign
from delivery.masking.names import personal_word

ROW = '"headway row"'
LONGEST_KNOWN = 5  # words of a value that is looked for elsewhere
# Not of extensions, except for what an extension asks pg_dump to save; of partitions their table speaks.
_OURS = """c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema' and not exists (
  select from pg_depend d join pg_extension e on e.oid = d.refobjid
  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_extension'::regclass
    and d.deptype = 'e' and c.oid <> all(coalesce(e.extconfig, '{}')))"""
_FROM = "pg_class c join pg_namespace n on n.oid = c.relnamespace"
_COLUMNS = f"""
with recursive base(oid, at, typmod, not_null) as (
  select oid, oid, -1, false from pg_type
  union all select b.oid, t.typbasetype, case when b.typmod = -1 then t.typtypmod else b.typmod end,
    b.not_null or t.typnotnull from base b join pg_type t on t.oid = b.at where t.typtype = 'd'
)
select json_build_object('kind', 'column', 'space', n.nspname, 'relation', c.relname,
  'partitioned', c.relkind = 'p', 'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
  'base', coalesce(e.typname, t.typname), 'array', e.oid is not null, 'labelled', (coalesce(e, t)).typtype = 'e',
  'length', case when t.typname in ('varchar', 'bpchar') and m.typmod > 4 then m.typmod - 4 end,
  'digits', case when t.typname = 'numeric' and m.typmod > 4
    then (((m.typmod - 4) >> 16) & 65535) - ((m.typmod - 4) & 2047) end,
  'not_null', a.attnotnull or b.not_null, 'generated', a.attgenerated <> '', 'always', a.attidentity = 'a',
  'unique', exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and a.attnum = any(i.indkey)),
  'keyed', exists (select from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'f')
    and a.attnum = any(k.conkey)))
from {_FROM} join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join base b on b.oid = a.atttypid join pg_type t on t.oid = b.at and t.typtype <> 'd'
left join pg_type e on t.typcategory = 'A' and e.oid = t.typelem
cross join lateral (select case when b.typmod = -1 then a.atttypmod else b.typmod end as typmod) m
where {_OURS} order by n.nspname, c.relname, a.attnum;
"""  # noqa: S608  # all parts of these statements stand in this file
_NAMES = """(select json_agg(a.attname order by x.n) from unnest({keys}) with ordinality x(num, n)
    join pg_attribute a on a.attrelid = {of} and a.attnum = x.num)"""
_FOREIGN_KEYS = f"""
select json_build_object('kind', 'foreign key', 'name', k.conname, 'table', n.nspname || '.' || c.relname,
  'columns', {_NAMES.format(keys="k.conkey", of="k.conrelid")},
  'referenced', fn.nspname || '.' || f.relname,
  'referenced_columns', {_NAMES.format(keys="k.confkey", of="k.confrelid")})
from {_FROM} join pg_constraint k on k.conrelid = c.oid and k.contype = 'f' and k.conparentid = 0
join pg_class f on f.oid = k.confrelid join pg_namespace fn on fn.oid = f.relnamespace
where {_OURS} order by k.conname;
select json_build_object('kind', 'large objects', 'count', (select count(*) from pg_largeobject_metadata));
"""  # noqa: S608
CATALOG = _COLUMNS + _FOREIGN_KEYS

_OCTET = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
# Where a number begins and ends: not within a word, a UUID, or behind the point of another number.
_BEGIN, _END = "(?<![[:alnum:]-]|[0-9][.,])", "(?![[:alnum:]-])"
PATTERNS = {
    "an e-mail address": r"[[:alnum:]._%+-]+@([[:alnum:]-]+\.)+[[:alpha:]]{2,}",
    "a phone number": rf"{_BEGIN}(\+|00)[1-9][0-9 ()/.-]{{6,}}[0-9]{_END}"
    rf"|{_BEGIN}0[1-9][0-9]{{1,4}}[ /-]?[0-9]{{4,}}{_END}"
    rf"|{_BEGIN}\(?[2-9][0-9]{{2}}\)?[ .-][0-9]{{3}}[ .-][0-9]{{4}}{_END}",
    "an IP address": rf"(^|[^0-9.])({_OCTET}\.){{3}}{_OCTET}($|[^0-9.]|\.($|[^0-9]))"
    r"|(^|[^[:alnum:]:])(([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|([0-9a-f]{1,4}:){1,6}(:[0-9a-f]{1,4}){1,6})($|[^[:alnum:]:])",
}
_IBAN = r"[a-z]{2}[0-9]{2}( ?[a-z0-9]{4}){2,7}( ?[a-z0-9]{1,3})?"
_CARD = r"([3456]([0-9][ -]?){11,17}[0-9])"
# How long an IBAN is in each country (ISO 13616, register of IBAN formats).
_LENGTHS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 "
    "FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 "
    "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 "
    "SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
)
# An IBAN by its length and check digits (modulo 97), a card by those of Luhn (ISO/IEC 7812-1, annex B); what is written
# in groups may be followed by a word that looks like one of them.
FUNCTIONS = f"""
create function pg_temp.headway_beginnings(given text) returns setof text language sql immutable strict as $$
  select array_to_string(parts[1:k], '') from regexp_split_to_array(given, '[ -]') as s(parts),
    generate_series(1, cardinality(parts)) k $$;
create function pg_temp.headway_is_iban(given text) returns boolean language sql immutable strict as $$
  select exists (select from pg_temp.headway_beginnings(upper(given)) b
    where position(left(b, 2) || length(b) in '{_LENGTHS}') > 0 and (select string_agg(case when c ~ '[0-9]' then c
      else (ascii(c) - 55)::text end, '' order by n)::numeric % 97 = 1
      from regexp_split_to_table(substr(b, 5) || left(b, 4), '') with ordinality as s(c, n))) $$;
create function pg_temp.headway_is_card(given text) returns boolean language sql immutable strict as $$
  select exists (select from pg_temp.headway_beginnings(given) b
    where length(b) between 13 and 19 and (select sum(case when n % 2 = 0 then c::int * 2 - 9 * (c::int > 4)::int
      else c::int end) % 10 = 0
      from regexp_split_to_table(reverse(b), '') with ordinality as s(c, n))) $$;
create function pg_temp.headway_signs(v text) returns text[] language sql immutable strict as $$
  select array_remove(array[
    {", ".join(f"case when v ~* '{pattern}' then '{why}' end" for why, pattern in PATTERNS.items())},
    case when exists (select from regexp_matches(v, '{_BEGIN}({_IBAN}){_END}', 'gi') as m
      where pg_temp.headway_is_iban(m[1])) then 'an IBAN' end,
    case when exists (select from regexp_matches(v, '{_BEGIN}{_CARD}{_END}', 'g') as m
      where pg_temp.headway_is_card(m[1])) then 'a card number' end
  ], null) $$;
create function pg_temp.headway_words(v text) returns text language sql immutable strict as $$
  select btrim(regexp_replace(lower(v), '[^[:alnum:]]+', ' ', 'g')) $$;
create temp table headway_known (words text primary key, source text);
"""  # noqa: S608
_DEFINITIONS = r"""
with own as (select oid from pg_database where datname = current_database())
select json_build_object('kind', 'definition', 'definition', d.what, 'why', s)
from (
  select 'comment on ' || pg_describe_object(classoid, objoid, objsubid), description
    from pg_description where objoid >= 16384 or objoid = 2200
  union all select 'comment on the database', description from pg_shdescription, own
    where classoid = 'pg_database'::regclass and objoid = own.oid
  union all select 'role', r.rolname from own, pg_shdepend p join pg_roles r on r.oid = p.refobjid
    where p.refclassid = 'pg_authid'::regclass and p.dbid = own.oid
  union all select 'function ' || p.oid::regprocedure::text, pg_get_functiondef(p.oid) from pg_proc p
    where p.prokind in ('f', 'p') and p.oid >= 16384 and p.pronamespace <> pg_my_temp_schema() and not exists (
      select from pg_depend x where x.classid = 'pg_proc'::regclass and x.objid = p.oid and x.deptype = 'e')
  union all select 'view ' || oid::regclass::text, pg_get_viewdef(oid) from pg_class
    where relkind in ('v', 'm') and oid >= 16384
  union all select 'default of ' || adrelid::regclass::text, pg_get_expr(adbin, adrelid) from pg_attrdef
  union all select 'constraint ' || conname, pg_get_constraintdef(oid) from pg_constraint
    where contype = 'c' and oid >= 16384
  union all select 'labels of ' || enumtypid::regtype::text, string_agg(enumlabel, ' ') from pg_enum group by enumtypid
  union all select 'policy ' || polname, concat_ws(' ', pg_get_expr(polqual, polrelid),
    pg_get_expr(polwithcheck, polrelid)) from pg_policy
  union all select 'index ' || indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index
    where (indpred is not null or indexprs is not null) and indexrelid >= 16384
  union all select 'trigger ' || tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
  union all select 'default of domain ' || oid::regtype::text, typdefault from pg_type
    where typtype = 'd' and oid >= 16384
  union all select 'statistics ' || stxname, pg_get_statisticsobjdef(oid) from pg_statistic_ext
  union all select 'publication ' || t.pubname, to_jsonb(t) ->> 'rowfilter' from pg_publication_tables t
  union all select 'partition ' || oid::regclass::text, pg_get_expr(relpartbound, oid) from pg_class
    where relispartition
  union all select 'rule ' || r.rulename, pg_get_ruledef(r.oid) from pg_rewrite r
    where r.rulename <> '_RETURN' and r.oid >= 16384
) as d(what, said), unnest(pg_temp.headway_signs(d.said)) s group by d.what, s order by d.what, s;
"""


# One that acts always would see, forbid or record what a look or masking makes for itself.
EVENTS_OFF = """
select coalesce(string_agg(format('alter event trigger %I enable %s', evtname,
  case evtenabled when 'A' then 'always' else 'replica' end), '; '), 'set headway.events = 1') as events_again
from pg_event_trigger where evtenabled in ('A', 'R') \\gset
select format('alter event trigger %I disable', evtname) from pg_event_trigger where evtenabled in ('A', 'R') \\gexec
"""
EVENTS_AGAIN = ":events_again;\n"


def identifier(name: str) -> str:
    """Return a name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL takes it."""
    return "'" + text.replace("'", "''") + "'"


def rows_of(column: Column) -> str:
    """Return a table for FROM and UPDATE: of one that is partitioned, all its partitions."""
    only = "" if column.partitioned else "only "
    return f"{only}{identifier(column.space)}.{identifier(column.relation)}"


def signs_script(looked: Iterable[Column], masked: Iterable[Column]) -> str:
    """Return SQL that prints why the values of `looked` columns look personal: all of them are looked at.

    What stands in `masked` columns is personal, so it is looked for elsewhere too: values of several words, and such
    with digits. Nothing is left in the database.
    """
    script = [EVENTS_OFF, FUNCTIONS]
    script += [_known(column) for column in masked if column.family in ("text", "texts", "address")]
    script.append("analyze pg_temp.headway_known;\n")
    for column in looked:
        script.append(_signs(column))
    return "".join(script) + _DEFINITIONS + EVENTS_AGAIN


def _known(column: Column) -> str:
    value = f"{ROW}.{identifier(column.name)}"
    each = f"unnest({value}) as e(v)" if column.array else f"(select {value}) as e(v)"
    counted = f"between 1 and {LONGEST_KNOWN}"
    return f"""
insert into pg_temp.headway_known select distinct on (w) w, {literal(f"{column.table}.{column.name}")}
from {rows_of(column)} as {ROW}, lateral {each}, lateral (select pg_temp.headway_words(e.v::text) as w) s
where length(w) >= 6 and (w like '% %' or w ~ '[0-9]') and array_length(string_to_array(w, ' '), 1) {counted}
on conflict do nothing;
"""  # noqa: S608  # names are quoted


def _signs(column: Column) -> str:
    value, table = f"{ROW}.{identifier(column.name)}::text", rows_of(column)
    about = f"'table', {literal(column.table)}, 'column', {literal(column.name)}"
    further = ", ".join(f"w || ' ' || {_following(count)}" for count in range(1, LONGEST_KNOWN))
    return f"""
select json_build_object('kind', 'sign', {about}, 'why', s, 'count', count(*))
from {table} as {ROW}, unnest(pg_temp.headway_signs({value})) as s group by s;
select json_build_object('kind', 'key', {about}, 'why', k, 'count', count(*)) from (
  select distinct {ROW}.ctid, {ROW}.tableoid, lower(m[1]) as k from {table} as {ROW},
    regexp_matches({value}, '"([[:alnum:]_ -]{{1,40}})\\\\?"\\s*(?::|=>)', 'g') as m) s group by k;
select json_build_object('kind', 'sign', {about}, 'why', 'what ' || s.source || ' holds', 'count', count(*))
from {table} as {ROW}, lateral (select known.source from (
    select array[w, {further}] as words
    from regexp_split_to_table(pg_temp.headway_words({value}), ' ') with ordinality as s(w, n)
    window o as (order by n)) g
  join pg_temp.headway_known known on known.words = any(g.words) limit 1) s group by s.source;
"""  # noqa: S608


def _following(count: int) -> str:
    return " || ' ' || ".join(f"lead(w, {step}) over o" for step in range(1, count + 1))


def parse_catalog(output: str) -> Catalog:
    """Return what `CATALOG` printed."""
    said = list(_lines(output))
    columns = [Column.model_validate(one) for kind, one in said if kind == "column"]
    keys = [ForeignKey.model_validate(one) for kind, one in said if kind == "foreign key"]
    objects = sum(one["count"] for kind, one in said if kind == "large objects")
    return Catalog(columns=tuple(columns), foreign_keys=tuple(keys), large_objects=objects)


def parse_signs(output: str) -> tuple[Sign, ...]:
    """Return what a script of `signs_script` printed; of keys within JSON those whose words say that they are."""
    found = []
    for kind, one in _lines(output):
        if kind == "key":
            if word := personal_word(one["why"]):
                found.append(Sign.model_validate(one | {"why": f"a key that says {word}"}))
        elif kind in ("sign", "definition"):
            found.append(Sign.model_validate(one))
    return tuple({(one.table, one.column, one.definition, one.why): one for one in found}.values())


def _lines(output: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in output.splitlines():
        if line.startswith('{"kind" : '):
            one = json.loads(line)
            yield one.pop("kind"), one

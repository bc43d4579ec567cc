"""Data of production in staging: masked on a server of its own, or refused with all that looks personal; no fakes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from delivery.docker.backups import DockerBackups
from delivery.docker.database import beside
from delivery.docker.database.database import ensure_network
from delivery.docker.engine.client import connect
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.own_database import DockerDatabase
from delivery.errors import Rejected
from delivery.programs.postgres_people import FUNCTIONS
from delivery.spec.database import ContainerDatabase
from delivery.spec.masking import Masking, load_masking
from tests.delivery.values import make_app
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("masked")]
APP = make_app().model_copy(update={"database": ContainerDatabase(name="shop")})
# No two of them have a word in common with what is made up.
CANARIES = {
    "name": "Zebulon Quagmire",
    "email": "zebulon.q@canary.example.org",
    "phone": "+49 171 5550 1234",
    "street": "Nightingale Crescent 77",
    "iban": "DE89 3704 0044 0532 0130 00",
    "ip": "203.0.113.77",
    "ip6": "2606:4700:4700::1177",
    "birth": "1971-11-23",
    "card": "4111 1111 1111 1111",
    "token": "tok-canary-8842",
    "other": "ophelia@canary.example.org",
}
FILL = """
create schema crm; create extension if not exists citext;
create domain crm.mail as varchar(80) check (value like '%@%');
create table customer (id bigserial primary key, full_name text not null, email citext unique not null,
  phone varchar(20), birth_date date, ip inet, addresses text[], profile jsonb, active bool default true,
  display text generated always as (lower(full_name)) stored);
insert into customer (full_name, email, phone, birth_date, ip, addresses, profile) values
  ('{name}', '{email}', '{phone}', '{birth}', '{ip}', array['{street}', 'c/o {name}'],
   '{{"contact": {{"email": "{email}", "born": "{birth}"}}}}'),
  ('Ophelia Other', '{other}', null, null, '{ip6}', '{{}}', null);
insert into customer (full_name, email) select 'Filler ' || n, 'filler' || n || '@canary.example.org'
  from generate_series(1, 300) n;
create table crm.orders (id serial primary key, customer_email citext references customer (email), amount numeric(8,2),
  billing crm.mail, status text default 'open');
insert into crm.orders (customer_email, amount, billing) values ('{email}', 12.50, '{email}'), ('{other}', 1, null);
create table ticket (id serial primary key, note text, payload json, tags text[]);
insert into ticket (note, payload, tags)
  values ('paid from {iban}, born {birth}', '{{"card": "{card}"}}', array['call {phone}']);
create table label (id serial primary key, line text, kind text);
insert into label (line, kind) values ('for {name}, please', 'parcel'), ('nothing', 'letter');
create table visit (id int, at date, agent text) partition by range (at);
create table visit_new partition of visit for values from ('2020-01-01') to ('2040-01-01');
insert into visit values (1, '2030-01-01', '{ip}');
create table audit (was text); create table session (token text); insert into session values ('{token}');
create function remember() returns trigger language plpgsql as
  $$begin insert into public.audit values (old.full_name); return new; end$$;
create trigger remember before update on customer for each row execute function remember();
alter table customer enable always trigger remember;
create materialized view everybody as select full_name, email from customer;
create view named as select full_name from customer where email <> 'nobody@elsewhere.example';
create trigger asked before update on ticket for each row when (new.note = 'nobody@elsewhere.example')
  execute function remember();
create trigger answered before update on ticket for each row when (false)
  execute function remember('nobody@elsewhere.example');
create domain crm.sender as text default 'nobody@elsewhere.example';
create index ticket_asked on ticket ((note = 'nobody@elsewhere.example'));
create statistics ticket_asks on (note = 'nobody@elsewhere.example'), id from ticket;
create publication asking for table ticket where (note = 'nobody@elsewhere.example') with (publish = 'insert');
comment on table ticket is 'ask {email}';
alter database shop set shop.api_token = '{token}';
create role reader; grant select on customer to reader;
create role "zebulon.q@canary.example.org" login; grant reader to "zebulon.q@canary.example.org";
select lo_from_bytea(4711, convert_to('{name}', 'UTF8'));
""".format(**CANARIES)
# Each rule is there once at least; `label` and `visit` are not named: nothing in their names says that they should.
FILE = """
tables:
  customer:
    columns:
      full_name: {fake: name}
      email: {fake: email}
      phone: {fake: phone}
      birth_date: {fake: date}
      ip: {fake: ip}
      addresses: {fake: address}
      profile: empty
  crm.orders:
    columns: {customer_email: {fake: email}, billing: null}
  ticket:
    columns: {note: {fake: text}, payload: null, tags: {fake: text}}
  session: {truncate: true}
large_objects: empty
comments: drop
definitions: keep
"""
REST = "  label: {columns: {line: hash}}\n  visit: {columns: {agent: hash}}\n"


@dataclass
class Place:
    """One environment with its database."""

    database: DockerDatabase
    backups: DockerBackups

    @property
    def container(self):
        return connect().containers.get(self.database.names.database)

    @property
    def databases(self):
        return beside.list_names(self.container, self.database.find())

    def sql(self, script, database="shop"):
        argv = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "headway", "-d", database, "-c", script]
        return self.run(argv)

    def run(self, argv):
        code, said, errors = run_in(self.container, argv, user="0")
        assert code == 0, errors
        return said.strip()


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:

        def make(environment):
            names = EnvironmentNames(home.identity, "shop", environment)
            ensure_network(connect(), names)
            database = DockerDatabase(APP, names, home, None)
            database.ensure()
            return environment, Place(database, DockerBackups(database))

        with ThreadPoolExecutor() as pool:
            made = dict(pool.map(make, ("production", "staging")))
        made["production"].sql(FILL)
        made["staging"].sql("create table task (id int); insert into task values (1)")
        yield made


@pytest.fixture(scope="module")
def kept(places):
    return places["production"].backups.take("run-1", "by hand").name


def masking_of(folder, text) -> Masking:
    (folder / "masking.yaml").write_text(text)
    return load_masking(folder, "masking.yaml")


def everything_in(place, database):
    """Return the database as `pg_dump` writes it, each row of it as text, its large objects, and the roles."""
    asked = [
        "select format('select r::text from %s r', oid::regclass) "
        "from pg_class where relkind in ('r', 'm') and oid >= 16384",
        "select 'select rolname from pg_roles'",
        "select format('select encode(lo_get(%s), ''escape'')', oid) from pg_largeobject_metadata",
    ]
    each = f"select query_to_xml(one, true, false, '') from ({' union all '.join(asked)}) as s(one)"
    return place.sql(each, database) + place.run(["pg_dump", "-U", "headway", "--create", database])


def files_of(place):
    """Return all that is in the files of the server: rows, dead rows, its log of changes, statistics."""
    place.sql("checkpoint")
    return b"".join(place.container.get_archive(place.sql("show data_directory"))[0])


def test_what_looks_personal_and_is_not_named_is_refused_all_at_once_and_nothing_is_changed(places, kept, tmp_path):
    staging = places["staging"]
    little = "tables: {session: {truncate: true}, customer: {columns: {full_name: {fake: name}}}}"
    before = staging.sql("select * from pg_roles")

    with pytest.raises(Rejected) as refused:
        staging.backups.restore_masked("production", kept, "refreshed", masking_of(tmp_path, little), "run-2")

    told = str(refused.value)
    for line in (
        "crm.orders.billing: 1 value holds an e-mail address",
        "crm.orders.customer_email: its name says email; 2 values hold an e-mail address",
        "public.customer.addresses: its name says address",
        "public.customer.birth_date: its name says birth",
        "public.customer.profile: 1 value holds an e-mail address; 1 value holds a key that says",
        "public.label.line: 1 value holds what public.customer.full_name holds",
        "public.ticket.note: its name says note; 1 value holds a phone number; 1 value holds an IBAN",
        "public.ticket.payload: 1 value holds a card number",
        "public.ticket.tags: 1 value holds a phone number",
        "public.visit.agent: 1 value holds an IP address",
        "1 large object: nobody can look into them",
        "comment on table public.ticket: holds an e-mail address",
        "view public.named: holds an e-mail address",
        "trigger asked: holds an e-mail address",
        "trigger answered: holds an e-mail address",
        "default of domain crm.sender: holds an e-mail address",
        "index public.ticket_asked: holds an e-mail address",
        "statistics ticket_asks: holds an e-mail address",
        "publication asking: holds an e-mail address",
        "      email: {fake: email}",
    ):
        assert line in told, told
    assert "session" not in told
    assert not [one for one in CANARIES.values() if one in told]  # what was seen is counted, not told
    assert staging.databases == ("shop",)
    assert staging.sql("select * from pg_roles") == before
    assert staging.sql("select count(*) from task") == "1"


def test_no_personal_value_of_production_is_in_staging_refreshed_with_its_data(places, kept, tmp_path):
    staging = places["staging"]
    named = masking_of(tmp_path, FILE.replace("  session:", f"{REST}  session:"))

    masked = staging.backups.restore_masked("production", kept, "refreshed", named, "run-3")

    found = everything_in(staging, "refreshed")
    assert [name for name, one in CANARIES.items() if one in found or one.replace(" ", "") in found] == []
    assert (masked.tables, masked.emptied, masked.columns) == (7, 1, 14)
    ask = "select count(*) from customer c join crm.orders o on o.customer_email = c.email"
    assert staging.sql(ask, "refreshed") == "2"
    assert (
        staging.sql("select count(distinct email), count(distinct full_name) > 1 from customer", "refreshed") == "302|t"
    )
    assert staging.sql("select count(*) from customer where display = lower(full_name)", "refreshed") == "302"
    assert staging.sql("select tgenabled from pg_trigger where tgname = 'remember'", "refreshed") == "A"
    assert staging.sql("select has_table_privilege('reader', 'customer', 'select')", "refreshed") == "t"
    assert staging.sql("select count(*) from task") == "1"
    files = files_of(staging)
    assert [word for word in (b"Zebulon", b"zebulon.q@", b"tok-canary") if word in files] == []
    assert b"@example.com" in files
    labelled = connect().containers.list(all=True, filters={"label": "headway.run=run-3"})
    assert labelled == []


@pytest.mark.parametrize(
    ("sign", "values"),
    [
        ("an e-mail address", ["write to a.b+c@shop.co.uk.", '{"x": "a@shop.example"}']),
        (
            "a phone number",
            ["+1 (555) 123-4567", "0049 89 123456", "030/1234567", "call 555-123-4567 now", "+4915112345678"],
        ),
        (
            "an IP address",
            ["10.0.0.1", "from 203.0.113.7.", "fe80::1ff:fe23:4567:890a", "2001:db8:0:0:0:0:2:1", "[::ffff] 8.8.8.8"],
        ),
        (
            "an IBAN",
            ["GB29NWBK60161331926819", "iban: fr14 2004 1010 0505 0001 3m02 606", "AT61 1904 3002 3457 3201 paid on"],
        ),
        (
            "a card number",
            ["4111-1111-1111-1111", "378282246310005", "card 5500 0000 0000 0004.", "4111 1111 1111 1111 12/30"],
        ),
        (
            None,
            [
                "2030-01-02 03:04:05.678+00",
                "2030-01-02T03:04:05+10:00",
                "9f1c2d3e-0123-4567-89ab-0123456789ab",
                "v1.22.333",
                "1,234,567.89",
                "4111111111111112",
                "DE89370400440532013001",
                "std::vector",
                "12:34:56",
                "a@b",
                "0.0712345678",
                "SKU-0012-3456-7890",
                "be71096123456769a0b1c2d3e4f50617",
                "sha256:0123456789abcdef0123456789abcdef",
            ],
        ),
    ],
)
def test_a_value_looks_personal_by_its_form_and_its_check_digits(places, sign, values):
    shown = ", ".join("('" + value + "')" for value in values)
    ask = f"{FUNCTIONS} select v, pg_temp.headway_signs(v) from (values {shown}) as s(v)"

    found = dict(line.rsplit("|", 1) for line in places["staging"].sql(ask).splitlines())

    assert [value for value in values if (sign or "{}") not in found[value].replace('"', "")] == []


@pytest.mark.long
def test_a_value_that_the_database_does_not_take_is_told_without_the_row_it_was_for(places, kept, tmp_path):
    wrong = FILE.replace("  session:", f"{REST}  session:").replace("null}", "{fake: phone}}")

    with pytest.raises(Rejected, match=r'value for domain crm\.mail violates check constraint "mail_check"$'):
        places["staging"].backups.restore_masked("production", kept, "wrong", masking_of(tmp_path, wrong), "run-2")

    assert "wrong" not in places["staging"].databases

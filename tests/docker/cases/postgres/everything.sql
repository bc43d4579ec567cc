create extension pg_trgm;
create role reader; create role clerk in role reader;
create schema shop; comment on schema shop is 'what is sold'; grant usage on schema shop to reader;
create type shop.state as enum ('open', 'paid');
create domain shop.price as numeric(10, 2) check (value >= 0);
create table shop.customer(id int generated always as identity primary key, name varchar(40), kind varchar(10)
  check (kind in ('person', 'company')), since timestamptz default now(), waiting interval, logo bytea, weight float8);
insert into shop.customer(name, kind, waiting, logo, weight)
  select 'it''s ' || n || e'\n\\', 'person', make_interval(mins => n), '\xdeadbeef', n / 3.0 from generate_series(1, 50) n;
create index customer_name on shop.customer using gin (name gin_trgm_ops);
create index persons_by_name on shop.customer(name) where kind in ('person', 'robot');
create table shop.invoice(id bigserial primary key, customer int references shop.customer, state shop.state
  default 'open', total shop.price, tax numeric generated always as (total * 0.2) stored);
insert into shop.invoice(customer, total) select n, n * 1.5 from generate_series(1, 50) n;
alter table shop.invoice add constraint small check (total < 10) not valid;
create table shop.visit(at date, path text, note text) partition by range (at);
create table shop.visit_2026 partition of shop.visit for values from ('2026-01-01') to ('2027-01-01');
insert into shop.visit values ('2026-03-01', '/', null), ('2026-03-01', '/', null);
create table shop.old(); create table shop.child(extra int) inherits (shop.customer);
create unlogged table shop.scratch(x int); insert into shop.scratch values (1);
create table shop."odd ""|"" :name
name"("headway row" int, t text, "row" text); insert into shop."odd ""|"" :name
name" values (1, null, 'x');
create view shop.persons as select * from shop.customer where kind in ('person', 'robot');
create materialized view shop.dice as select random() from generate_series(1, 3); create index on shop.dice(random);
create function shop.refuse() returns trigger language plpgsql as $$begin raise exception 'no'; end$$;
create trigger refuse before delete on shop.invoice for each row execute function shop.refuse();
create trigger sleeping before insert on shop.customer for each row execute function shop.refuse();
alter table shop.customer disable trigger sleeping;
alter table shop.customer enable row level security, force row level security;
create policy own on shop.customer for select to reader using (name = current_user);
grant select on shop.customer to reader; grant update (name) on shop.customer to clerk; grant update on shop.invoice to clerk;
alter default privileges in schema shop grant select on tables to reader;
create foreign data wrapper nowhere; create server far foreign data wrapper nowhere;
create foreign table shop.remote(x int) server far;
create publication everything for all tables;
create function shop.seen() returns event_trigger language plpgsql as $$begin insert into shop.scratch values (2); end$$;
create event trigger seen on ddl_command_end execute function shop.seen(); alter event trigger seen enable always;
select lo_from_bytea(4711, 'a letter'); select lo_put(4711, 10000, 'after a hole'); grant select on large object 4711 to reader;
alter database DB set default_transaction_read_only = on; alter database DB set statement_timeout = '10s';
alter database DB set search_path = shop, public; alter database DB set bytea_output = 'escape';
alter database DB set intervalstyle = 'iso_8601'; alter database DB set extra_float_digits = 0;
alter role clerk in database DB set work_mem = '7MB'; comment on database DB is 'of the shop'; grant connect on database DB to reader;

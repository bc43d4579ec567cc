"""Backups of a real PostgreSQL: proven while others write, and not proven when something is lost on the way."""

import threading

import pytest

from delivery.docker.database.database import ensure_database, ensure_network, find_database
from delivery.docker.database.keeping import Keeper
from delivery.docker.database.roles import admin_access
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.errors import Rejected
from delivery.ports.backups import compare, differs_in_definitions
from delivery.programs import postgres
from delivery.spec.database import ContainerDatabase
from tests.support.backups import DAMAGES, NAMES, OWN_DAMAGES, two_servers
from tests.support.platforms import own_platform

pytestmark = pytest.mark.docker
DATABASE = ContainerDatabase(name="shop")
TABLE = "create table task (id serial primary key, title text not null)"
FILL = "insert into task (title) select 'task ' || n from generate_series(1, 500) n"
# Whoever changes the schema outside of migrations is recorded, or stopped.
WATCHED = """
create table ddl_log(tag text);
create function record() returns event_trigger language plpgsql as $$begin insert into public.ddl_log values (tg_tag);
end$$;
create function forbid() returns event_trigger language plpgsql as $$begin raise exception 'not by hand'; end$$;
create event trigger record on ddl_command_end execute function record();
create event trigger forbid on ddl_command_start when tag in ('CREATE SCHEMA', 'CREATE TABLE')
  execute function forbid();
alter event trigger record enable always; alter event trigger forbid enable always;
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A database with a table of 500 rows, in an environment of its own."""
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        names = EnvironmentNames(home.identity, "shop", "production")
        image = resolve_base(DATABASE.image, home=home).used
        ensure_network(connect(), names)
        ensure_database(DATABASE, names, image=image, home=home)
        sql(names, f"{TABLE}; {FILL};")
        yield home, names, image


@pytest.fixture(scope="module")
def servers(place):
    """Two servers in memory, a source and a copy."""
    with two_servers(place[0], place[2]) as backups:
        yield backups


def sql(names, script):
    container = connect().containers.get(names.database)
    access = admin_access(container)
    argv = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", access.user, "-d", access.name, "-c", script]
    done = container.exec_run(argv)
    assert done.exit_code == 0, done.output
    return done.output.decode().strip()


def prove(place):
    home, names, image = place
    keeper = Keeper(names, home, None, image)
    return keeper.prove(keeper.take(find_database(names), "run-1", "by hand").name, "run-1")


def test_a_backup_is_proven_and_nothing_of_ours_stays(place):
    proof = prove(place)

    assert (proof.outcome, proof.differences) == ("pass", ())
    assert (proof.tables, proof.rows >= 500) == (1, True)
    assert 0 < proof.rpo_seconds < proof.rto_seconds + 60
    assert sql(place[1], "select count(*) from pg_namespace where nspname ~ '^headway'") == "0"
    assert sql(place[1], "select count(*) from pg_largeobject") == "0"


@pytest.mark.long
def test_a_backup_is_proven_while_others_write(place):
    stop = threading.Event()

    def write():
        while not stop.is_set():
            sql(place[1], "insert into task (title) values ('meanwhile')")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        proof = prove(place)
    finally:
        stop.set()
        writer.join()

    assert (proof.outcome, proof.differences) == ("pass", ())


@pytest.mark.long
def test_a_copy_that_lost_rows_is_no_backup(place, monkeypatch):
    loses = postgres.look_script()
    monkeypatch.setattr(postgres, "look_script", lambda: f"delete from public.task where id = 7;\n{loses}")

    proof = prove(place)

    assert proof.outcome == "fail"
    assert any(line.startswith("table public.task: ") for line in proof.differences)


@pytest.mark.long
def test_a_dump_that_cannot_be_restored_is_told(place, monkeypatch):
    monkeypatch.setattr(postgres, "restore_argv", lambda name: ["pg_restore", "--no-such-option"])

    with pytest.raises(Rejected, match="could not be restored"):
        prove(place)


@pytest.mark.long
def test_event_triggers_neither_stop_nor_see_the_proof_of_a_backup(place):
    sql(place[1], WATCHED)

    proof = prove(place)

    assert (proof.outcome, proof.differences) == ("pass", ())
    assert sql(place[1], "select count(*) from ddl_log") == "0"


@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=[] if name == "everything" else [pytest.mark.long]) for name in NAMES]
)
def test_a_good_backup_passes_and_each_of_many_damages_to_its_copy_is_told(servers, case):
    before, damages = servers.begin(case), DAMAGES | OWN_DAMAGES[case]
    after = servers.restore()
    rewritten = ()
    if differs_in_definitions(before, after):
        rewritten = servers.rewrite()
        servers.restore()
    servers.sql(servers.copy, ";\n".join(damages))

    told = compare(before, servers.look(), rewritten)

    assert compare(before, after, rewritten) == ()
    assert [words for words in damages.values() if not any(line.startswith(words) for line in told)] == []
    assert len(damages) > 10

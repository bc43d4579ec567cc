"""A database as it was at any second: what is archived, how it comes back, and what cannot be gone back to."""

import itertools
import re
import secrets
import statistics
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound
from pydantic import SecretStr

from delivery.changes.ledger import LABEL_ROLE
from delivery.docker.database import drill
from delivery.docker.database.beside import running_container
from delivery.docker.database.database import ensure_network
from delivery.docker.database.passwords import keep_password, read_password
from delivery.docker.database.roles import admin_access
from delivery.docker.database.wal_archive import WalArchive
from delivery.docker.engine.client import connect
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.environment import open_docker
from delivery.docker.sandbox.sandbox import Sandbox, open_sandbox
from delivery.docker.target import removal
from delivery.docker.target.lifecycle import pause_environments, purge_environments, resume_environments
from delivery.errors import Misconfigured, Rejected
from delivery.ports.backups import lacking
from delivery.ports.drills import LiveCode
from delivery.ports.rehearsals import CodeVersion
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.spec.backups import BackupPolicy
from delivery.waiting import until
from tests.places.test_environment_docker import APP
from tests.support.backups import CASES

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker-point-in-time")]


@pytest.fixture
def names(home):
    made = EnvironmentNames(home.identity, f"shop-{secrets.token_hex(3)}", "production")
    yield made
    removal.remove_belongings(connect(), made)


@pytest.fixture
def opened(home, names):
    """An environment whose database is archived."""
    production = {"target": {"port": 8080}, "backups": {"any_second": True, "drill": {"without": ["application"]}}}
    app = App.model_validate(APP | {"app": names.app, "environments": {"production": production}})
    settings = EnvironmentSettings(app=app.app, environment="production")
    ensure_network(connect(), names)
    environment = open_docker(app, app.environments["production"], settings, sequence=1, home=home)
    environment.database.ensure()
    return environment


@pytest.fixture
def query(opened, names):
    """A function that asks a database as the administrator."""

    def ask(sql, database=""):
        server = running_container(connect(), names)
        name = database or opened.database.find().name
        argv = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", admin_access(server).user, "-d", name, "-c", sql]
        code, output, errors = run_in(server, argv)
        assert code == 0, errors
        return output.strip()

    return ask


AWKWARD = "%@:/ 'x\""  # each means something in an address, a command or SQL


@pytest.mark.long
def test_a_database_of_awkward_things_comes_back_as_it_was(home, names, opened, query):
    """Partitions, generated columns, large objects, roles, extensions, triggers on events, names with quotes, …"""
    connect().containers.get(names.archive).remove(force=True)
    connect().containers.get(names.database).remove(force=True)
    connect().volumes.get(names.database).remove()
    before = read_password(home, names)
    keep_password(home, names, replace(before, password=SecretStr(AWKWARD)), administered=True)
    opened.database.ensure(anew=True)
    server, url = connect().containers.get(names.database), opened.database.find().url.get_secret_value()
    assert run_in(server, ["psql", "-XqAtc", "select 1", url.replace("@database:", "@127.0.0.1:")])[:2] == (0, "1\n")
    script = (CASES / "everything.sql").read_text().replace("DB", before.name)
    admin = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", admin_access(server).user, "-d", before.name]
    code, _, errors = run_in(server, [*admin, "-c", "set search_path = public;" + script])
    assert code == 0, errors
    keeper, archive = opened.backups.own.keeper(), opened.backups.own.archive()
    with open_sandbox(home, "run-1", "look") as sandbox:
        was = keeper.look_at(keeper.client(sandbox, "look"), before.name)
    moment = archive.arrive()
    run_in(server, [*admin, "-c", "set default_transaction_read_only = off", "-c", "drop schema shop cascade"])

    restored = opened.backups.restore_at(moment, "Before-it", "run-1")

    with open_sandbox(home, "run-1", "look") as sandbox:
        found = keeper.look_at(keeper.client(sandbox, "look"), "Before-it")
    # The log is 32 numbers of a sequence ahead, and a server that starts anew empties what it did not log.
    told = [line for line in lacking(was, found) if not line.startswith("sequence ")]
    assert told == ["table shop.scratch: 2 in the database, 0 in the copy"]
    assert (restored.rows > 100, opened.backups.prove("latest", "run-1").differences) == (True, ())


SUMS = "select count(*), sum(hashtext(task::text)) from task"


def now(query):
    return datetime.fromisoformat(query("select clock_timestamp() at time zone 'utc'")).replace(tzinfo=UTC)


def test_what_was_deleted_by_mistake_comes_back_as_it_was_just_before(opened, query, record_property):
    query("create table task as select n as id, md5(n::text) as title from generate_series(1, 2000) n")
    query("insert into task values (2001, 'written after the base backup')")
    before, moment = query(SUMS), now(query)
    query("delete from task where id > 500")
    after = query(SUMS)
    kept = opened.backups.take_at(moment, "run-1")
    restored = opened.backups.restore(kept.name, "before_it", "run-1")
    with pytest.raises(Misconfigured, match="is no name for a database; allowed: letters"):
        opened.backups.restore(kept.name, 'before"it', "run-1")
    with pytest.raises(Misconfigured, match="database before_it of production: is there already"):
        opened.backups.restore_at(moment, "before_it", "run-1")
    assert [one.name for one in opened.backups.kept()] == [kept.name]  # nothing was replayed for it

    record_property("rto", restored.seconds)
    assert restored.at == moment
    assert (before != after, query(SUMS, "before_it")) == (True, before)
    assert query(SUMS) == after  # the one in use was only read
    assert "public.task: 2001 rows, 500 in the database in use, not the same ones" in restored.beside
    assert (kept.reason, kept.rows) == ("of a moment", 2001)
    assert opened.backups.prove(kept.name, "run-1").outcome == "pass"


@pytest.mark.long
def test_a_moment_at_which_nobody_wrote_is_reached_as_well(opened, query):
    query("create table task as select 1 as id")
    opened.backups.own.archive().arrive()
    quiet = now(query)

    assert opened.backups.take_at(quiet, "run-1").rows == 1


def test_a_moment_that_cannot_be_reached_is_refused_with_those_that_can(opened, query):
    query("create table task as select 1 as id")
    reach = opened.backups.reach()
    with pytest.raises(Misconfigured, match="is before its first base backup") as early:
        opened.backups.take_at(reach.earliest - timedelta(seconds=1), "run-1")
    with pytest.raises(Misconfigured, match="is in the future of its archive"):
        opened.backups.take_at(now(query) + timedelta(days=1), "run-1")

    assert f"{reach.earliest:%Y-%m-%d %H:%M:%S} to " in str(early.value)
    assert opened.backups.kept() == ()


@pytest.mark.long
def test_nothing_is_archived_where_nobody_asked_for_it(home, opened, names, query):
    app = App.model_validate(APP | {"app": names.app})
    settings = EnvironmentSettings(app=app.app, environment="production")
    plain = open_docker(app, app.environments["production"], settings, sequence=1, home=home)
    before = query("select count(*) from pg_replication_slots")
    plain.database.ensure()
    with pytest.raises(Misconfigured, match="any_second: is off: nothing is archived"):
        plain.backups.take_at(datetime.now(UTC), "run-1")

    assert (before, query("select count(*) from pg_replication_slots")) == ("1", "0")
    assert plain.backups.reach() is None


@pytest.fixture
def within(names):
    """A function that does something to the archive from within."""

    def run(script):
        code, output, errors = run_in(connect().containers.get(names.archive), ["sh", "-c", script], user="0")
        assert code == 0, output + errors
        return output.strip()

    return run


HANGS_SECONDS = 45
FILLED = "create table task as select n as id, md5(n::text) as title from generate_series(1, 5000) n"
HERE = "/archive/$(cat /archive/system)"
NEWEST = f"$(ls -d {HERE}/base/2* | tail -1)"


def test_a_drill_of_a_good_archive_passes_and_leaves_the_database_as_it_was(opened, query, within):
    query(FILLED)
    query("create unlogged table cache as select * from task")  # of which no log has a row
    # A segment that was not complete when the folder was read, and is by now.
    within(f"cd {HERE}/wal; : > 0000000100000000000000FE; ln -s /none 0000000100000000000000FE.partial")
    before = query(SUMS)
    shown = opened.backups.drill("run-1", deadline_seconds=600)

    assert (shown.outcome, shown.problems) == ("pass", ())
    assert (shown.tables, shown.rows) == (2, 5000)
    assert query(SUMS) == before
    assert query("select count(*) from pg_largeobject_metadata") == "0"


SEGMENT = f"{HERE}/wal/$(cat /archive/segment)"  # what was written into after the base backup, complete or not
FLIP = "printf '\\377' | dd of=$f bs=1 seek=8000 conv=notrunc 2>/dev/null"


def live_with(opened, command, tmp_path):
    """What is live as a service that runs a command beside the database, in an image that has psql."""
    argv = ["sh", "-c", f"{command} && exec busybox httpd -f -p 8080"]
    service = {"image": "shop", "port": 8080, "health": "none", "command": argv, "init": False}
    app = {
        "app": "shop",
        "images": {"shop": {}},
        "services": {"shop": service},
        "database": {},
        "environments": {"production": {}},
    }
    opened.backups.registry = SimpleNamespace(reference=lambda image: image)
    images: Any = {"shop": "postgres:15-alpine"}
    return LiveCode(CodeVersion(App.model_validate(app), images), tmp_path)


@pytest.mark.parametrize(
    ("asked", "outcome", "told"),
    [
        ("select count(*) from task", "pass", ""),
        pytest.param(
            "select count(*) from none", "fail", "on the copy, the application: shop stopped", marks=pytest.mark.long
        ),
    ],
)
def test_the_live_release_is_started_on_the_copy(opened, query, tmp_path, asked, outcome, told):
    query(FILLED)
    query(f"alter table task owner to {opened.database.find().user}")
    opened.backups.own.policy = BackupPolicy(any_second=True)
    live = live_with(opened, f'psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -c "{asked}"', tmp_path)

    shown = opened.backups.drill("run-1", deadline_seconds=600, live=live)

    assert (shown.outcome, told in " ".join(shown.problems)) == (outcome, True), shown


@pytest.mark.long
def test_what_cannot_be_checked_is_unknown_and_no_pass(opened, query):
    query(FILLED)
    opened.backups.own.policy = BackupPolicy(any_second=True)

    shown = opened.backups.drill("run-1", deadline_seconds=600)

    assert (shown.outcome, shown.problems) == ("unknown", ())
    assert shown.unchecked == ("not checked: the application on the copy: no release is live",)


@pytest.mark.long
def test_a_copy_for_which_there_is_no_room_is_not_begun(opened, query, monkeypatch):
    query(FILLED)
    add = Sandbox.add_volume

    def small(self, name=""):
        """A disk of 8 MB for the copy."""
        if name != "place":
            return add(self, name)
        options = {"type": "tmpfs", "device": "tmpfs", "o": "size=8m"}
        labels = {**self.labels, LABEL_ROLE: "volume"}
        return self.client.volumes.create(f"{self.name}.{name}", driver_opts=options, labels=labels).name

    monkeypatch.setattr(Sandbox, "add_volume", small)
    with pytest.raises(Rejected, match=r"no room for a copy of the archive of production .*: \d+ MB are"):
        opened.backups.take_at(opened.backups.own.archive().arrive(), "run-1")

    assert query(SUMS).startswith("5000|")


@pytest.mark.long
def test_a_base_backup_of_another_version_is_not_tried(opened, query, within):
    query(FILLED)
    moment = opened.backups.own.archive().arrive()
    within(f"echo 14 > {NEWEST}/PG_VERSION")

    with pytest.raises(Misconfigured, match="the base backup is of PostgreSQL 14, the image has 15"):
        opened.backups.take_at(moment, "run-1")


DAMAGES = {
    "a WAL segment that is missing": (f"rm {SEGMENT}*", "replayed"),
    "an empty WAL segment": (f"rm {SEGMENT}*; : > {SEGMENT}", "replayed"),
    "a base backup without its control file": (f"rm {NEWEST}/global/pg_control", "replayed"),
    "a base backup that is empty": (f"rm -rf {NEWEST}/base", "replayed"),
    "a WAL segment that cannot be read to its end": (
        f"rm {SEGMENT}*; mkfifo {SEGMENT}",
        f"the drill took longer than {HANGS_SECONDS} s, and was ended",
    ),
    "an archive put back as it was": (f"cd {HERE}; rm -r wal/* base/*; cp -a /older/. .", "replayed"),
    "a page with other bytes": (f"f={NEWEST}/$(cat /archive/file); {FLIP}", "not as it was taken"),
    "a table's file that is cut off": (
        f"f={NEWEST}/$(cat /archive/file); truncate -s 8192 $f",
        "of 6000 rows in the copy|pg_amcheck|could not be read|replayed",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_drill_tells_an_archive_that_leads_nowhere(opened, query, within, damage):
    query(FILLED)
    file = query("select pg_relation_filepath('task')")
    within(f"echo {file} > /archive/file")
    query("vacuum freeze task")  # else whoever reads a page first writes all of it into the WAL, which mends the copy
    opened.backups.own.archive().take_base()
    within(f"mkdir /older; cp -a {HERE}/wal {HERE}/base /older/")
    query("insert into task select n, 'later' from generate_series(5001, 6000) n")
    within(f"echo {query('select pg_walfile_name(pg_current_wal_lsn())')} > /archive/segment")
    opened.backups.own.archive().arrive()
    script, words = DAMAGES[damage]
    within(script)
    shown = opened.backups.drill("run-1", deadline_seconds=HANGS_SECONDS)

    assert shown.outcome == "fail"
    assert query("select count(*) from pg_largeobject_metadata") == "0"
    assert re.search(words, " ".join(shown.problems)), shown.problems


@pytest.mark.long
@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        ("select 1", FILLED, "task is missing in the copy"),
        (f"{FILLED}; truncate task", "insert into task select n, 'again' from generate_series(1, 900) n", "0 of 900"),
        (FILLED, "select 1", "older than it says"),
    ],
    ids=["another database", "no rows", "an old copy"],
)
def test_a_drill_tells_a_copy_of_another_moment(opened, query, monkeypatch, first, then, told):
    query(first)
    pinned = opened.backups.own.archive().arrive()
    query(then)
    replay = drill.replayed
    monkeypatch.setattr(drill, "replayed", lambda *given, **more: replay(*given[:3], pinned, *given[4:], **more))

    shown = opened.backups.drill("run-1", deadline_seconds=600)

    assert (shown.outcome, told in " ".join(shown.problems)) == ("fail", True), shown.problems


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_fifty_drills_of_a_database_that_is_written_to_raise_no_false_alarm(opened, query, record_property):
    query(FILLED)
    writer = """
      insert into task select n, 'more' from generate_series(1, 40) n;
      update task set title = title || '.' where id %% 7 = %d; delete from task where ctid in
      (select ctid from task where id %% 50 = %d); alter table task add column if not exists c%d text;
      analyze task; vacuum task;"""
    stop, rtos = threading.Event(), []

    def write():
        for n in itertools.count():
            if stop.wait(0.2):
                return
            query_each(query, writer % (n % 7, n % 50, n % 20))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for _ in range(50):
            shown = opened.backups.drill("run-1", deadline_seconds=600)
            assert (shown.outcome, shown.problems, shown.unchecked) == ("pass", (), ())
            rtos.append(shown.rto_seconds)
    finally:
        stop.set()
        writing.join()
    record_property("rto_median_seconds", round(statistics.median(rtos), 2))


def query_each(query, script):
    for statement in filter(None, (one.strip() for one in script.split(";"))):
        query(statement)


@pytest.mark.long
def test_the_archive_goes_on_beside_a_server_that_was_made_again(opened, names, query):
    query(FILLED)
    connect().containers.get(names.database).remove(force=True)
    opened.database.ensure()
    query("insert into task values (5001, 'later')")
    moment = now(query)
    query("delete from task")

    assert opened.backups.take_at(moment, "run-1").rows == 5001


@pytest.mark.long
def test_the_archive_stops_starts_and_goes_with_its_environment(home, opened, names, query):
    query(FILLED)
    pause_environments(home)
    stopped = {connect().containers.get(name).status for name in (names.database, names.archive)}
    resume_environments(home)
    moment = opened.backups.own.archive().arrive()
    reached = opened.backups.reach().latest >= moment
    purge_environments(home)

    assert (stopped, reached) == ({"exited"}, True)
    with pytest.raises(NotFound):
        connect().volumes.get(names.archive)


def lose_volume(names):
    """Lose the database with its volume, once what it wrote last is archived: nobody adds a record for that."""
    server = connect().containers.get(names.database)
    psql = ["psql", "-XqAt", "-U", admin_access(server).user, "-d", "template1", "-c"]
    flushed = "select count(*) from pg_stat_replication where flush_lsn >= '%s'"
    last = run_in(server, [*psql, "select pg_current_wal_flush_lsn()"])[1].strip()
    assert until(lambda: run_in(server, [*psql, flushed % last])[1].strip() != "0", seconds=60, every=0.1)
    server.remove(force=True)
    connect().volumes.get(names.database).remove()


@pytest.mark.long
def test_a_database_that_was_lost_with_its_volume_is_gone_back_to(opened, names, query):
    query(FILLED)
    moment = now(query)
    query("insert into task values (5001, 'the last commit of all')")
    idle = now(query)
    lose_volume(names)

    last = opened.backups.restore_at(idle, "at_its_end", "run-1")
    before = opened.backups.restore_at(moment, "before_it", "run-2")

    assert (last.rows, query(SUMS, "at_its_end").startswith("5001|")) == (5001, True)
    assert moment < last.at < idle  # the moment that was reached, which is told
    assert (before.rows, before.at) == (5000, moment)
    assert opened.backups.reach().earliest > moment  # that of the server that there is now


@pytest.mark.long
def test_the_end_of_a_lost_database_is_not_taken_for_that_of_damaged_wal(opened, names, query, within):
    query(FILLED)
    damaged = query("select pg_walfile_name(pg_current_wal_lsn())")
    opened.backups.own.archive().arrive()
    query("insert into task select n, 'later' from generate_series(5001, 6000) n")
    idle = now(query)
    lost = within("cat /archive/system")
    lose_volume(names)
    opened.database.ensure(anew=True)
    within(f": > /archive/{lost}/wal/{damaged}")

    with pytest.raises(Rejected, match="could not be replayed"):
        opened.backups.take_at(idle, "run-1")


@pytest.mark.long
def test_an_archive_begins_anew_when_the_server_kept_too_little_for_it(opened, names, query):
    query(FILLED)
    moment = now(query)
    opened.backups.own.archive().arrive()
    connect().containers.get(names.archive).stop()
    query("alter system set max_slot_wal_keep_size = '1MB'")
    query("select pg_reload_conf()")
    for _ in range(4):
        query("insert into task select 9000, 'in the gap'")
        query("select pg_switch_wal()")
    query("checkpoint")
    assert query("select wal_status from pg_replication_slots") == "lost"

    kept = opened.backups.take("run-1", "by hand")
    later = opened.backups.own.archive().arrive()

    assert kept.rows == 5004
    assert opened.backups.reach().earliest > moment
    assert opened.backups.take_at(moment, "run-2").rows == 5000
    assert opened.backups.take_at(later, "run-3").rows == 5004


@pytest.mark.long
def test_an_archive_whose_next_wal_is_gone_with_its_slot_begins_anew(opened, names, query):
    query(FILLED)
    archive = opened.backups.own.archive()
    archive.arrive()
    connect().containers.get(names.archive).stop()
    query("select pg_drop_replication_slot('headway_archive')")
    for _ in range(4):
        query("insert into task select 9000, 'in the gap'")
        query("select pg_switch_wal()")
        query("checkpoint")

    opened.database.ensure()

    assert opened.backups.take_at(archive.arrive(), "run-1").rows == 5004


@pytest.mark.long
def test_trouble_with_the_archive_keeps_no_dump_from_coming_back(opened, names, query, monkeypatch):
    query(FILLED)
    kept = opened.backups.take("run-1", "by hand")
    monkeypatch.setattr(WalArchive, "ensure", raises_rejected)

    restored = opened.backups.restore(kept.name, "of_the_dump", "run-2")
    opened.backups.take("run-3", "by hand")

    assert (restored.rows, len(opened.backups.kept())) == (5000, 2)
    with pytest.raises(Rejected, match="is not archived"):
        opened.database.ensure()


def raises_rejected(archive):
    raise Rejected("the WAL of it is not archived")


NO_DDL = """create function no_ddl() returns event_trigger language plpgsql as
  'begin raise exception $$no DDL here$$; end';
create event trigger no_ddl on ddl_command_start execute function no_ddl();"""


@pytest.mark.long
def test_a_drill_passes_on_a_server_that_was_tuned_and_a_database_that_forbids_much(opened, names, query):
    query(FILLED)
    query("alter system set max_connections = 150")
    connect().containers.get(names.database).restart()
    opened.database.ensure()
    opened.backups.own.archive().take_base()  # its control file says 150, the settings of a copy do not
    query(f"{NO_DDL} alter database {opened.database.find().name} set statement_timeout = '1ms';")

    shown = opened.backups.drill("run-1", deadline_seconds=600)

    assert (shown.outcome, shown.problems, shown.unchecked) == ("pass", (), ())


@pytest.mark.long
def test_indexes_are_not_checked_where_their_check_is_refused(opened, query):
    query(FILLED)
    query(f"{NO_DDL} alter event trigger no_ddl enable always;")

    shown = opened.backups.drill("run-1", deadline_seconds=600)

    assert (shown.outcome, shown.problems) == ("unknown", ())
    assert "the extension is refused: " in shown.unchecked[0]


@pytest.mark.long
def test_what_no_second_of_the_last_days_needs_goes(opened, query, within):
    query(FILLED)
    archive = opened.backups.own.archive()
    for day in ("20010101", "20010102"):
        within(f"cp -a {NEWEST} {HERE}/base/{day}T000000.000000")
    archive.take_base()
    before = len(archive.bases())
    archive.prune(7)
    left = archive.bases()
    moment = now(query)

    assert before == 4
    assert [f"{one:%Y%m%d}" for one in left][:1] == ["20010102"]  # the last one from before those days leads into them
    assert len(left) == 3
    assert opened.backups.take_at(moment, "run-1").rows == 5000

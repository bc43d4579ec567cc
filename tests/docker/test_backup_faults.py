"""What may be wrong with a backup that is kept, each found by restoring it; and what is asked before a restore."""

import contextlib
import json
import re
import shutil

import pytest

from delivery.changes.kept import LOOK
from delivery.docker.database.beside import list_names
from delivery.docker.database.database import ensure_database, ensure_network, find_database
from delivery.docker.database.keeping import Keeper
from delivery.docker.database.transfer import fetch
from delivery.docker.engine.client import connect
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.docker.sandbox.sandbox import open_sandbox
from delivery.errors import Misconfigured, Rejected
from delivery.spec.database import ContainerDatabase
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("backup-faults")]
DATABASE = ContainerDatabase(name="shop")
FILL = """create table task (id serial primary key, title text not null);
insert into task (title) select md5(n::text) from generate_series(1, 5000) n"""
# It is filled at once where the application asks, and takes ten minutes where pg_restore does.
SLOW = """create materialized view slow as
select pg_sleep(case when current_setting('application_name') = 'pg_restore' then 600 else 0 end)::text"""


class Shop:
    """A database with rows, and its backups."""

    def __init__(self, home) -> None:
        self.names = EnvironmentNames(home.identity, "shop", "production")
        image = resolve_base(DATABASE.image, home=home).used
        ensure_network(connect(), self.names)
        ensure_database(DATABASE, self.names, image=image, home=home)
        self.keeper = Keeper(self.names, home, None, image)

    @property
    def server(self):
        return connect().containers.get(self.names.database)

    def sql(self, script, database="shop"):
        argv = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "app", "-d", database, "-c", script]
        code, said, errors = run_in(self.server, argv)
        assert code == 0, errors
        return said.strip()

    def take(self):
        kept = self.keeper.take(find_database(self.names), "run-1", "by hand")
        return kept, self.keeper.folder.find(kept.name)[1]

    def dump(self, folder, database="shop", *more):
        """Put another dump in the place of a backup's."""
        argv = ["pg_dump", "-Fc", "--no-tablespaces", "-U", "app", "-f", "/tmp/database.dump", *more, database]
        assert run_in(self.server, argv, user="0")[0] == 0
        (folder / "database.dump").unlink()
        fetch(self.server, ["/tmp/database.dump"], folder)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        shop = Shop(home)
        shop.sql(FILL)
        yield shop


@pytest.fixture(scope="module")
def older(shop):
    _, folder = shop.take()
    shop.sql("insert into task (title) values ('after the older one')")
    return folder


@pytest.fixture
def taken(shop, older):
    kept, folder = shop.take()
    yield kept, folder
    shop.keeper.folder.forget(kept.name)


def empty(shop, folder, older):
    (folder / "database.dump").write_bytes(b"")


def truncated(shop, folder, older):
    dump = folder / "database.dump"
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size // 2])


def flipped(shop, folder, older):
    dump = folder / "database.dump"
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 0x10
    dump.write_bytes(content)


def of_another_database(shop, folder, older):
    if "other" not in shop.sql("select datname from pg_database"):
        run_in(shop.server, ["createdb", "-U", "headway", "-O", "app", "other"])
        shop.sql("create table task (id serial primary key, title text)", "other")
    shop.dump(folder, "other")


def without_rows(shop, folder, older):
    shop.dump(folder, "shop", "--schema-only")


def stale(shop, folder, older):
    shutil.copy(older / "database.dump", folder)


def all_of_an_older_one(shop, folder, older):
    for file in older.iterdir():
        if file.name != "backup.json":
            shutil.copy(file, folder)


FAULTS = {
    empty: "could not be restored",
    truncated: "could not be restored",
    flipped: "could not be restored|other content",
    of_another_database: "could not be restored|is missing in the copy",
    without_rows: "0 in the copy",
    stale: "5000 in the copy|not in the copy",
    all_of_an_older_one: "is of backup 2",
}
SHORT = (flipped, all_of_an_older_one)


def shown_by(shop, kept, **more):
    """Return what is wrong with a backup, by the proof that is kept with it."""
    with contextlib.suppress(Rejected):  # one that does not come back at all; its proof says so as well
        shop.keeper.prove(kept.name, "run-1", **more)
    [found] = [one for one in shop.keeper.folder.all() if one.name == kept.name]
    return found.proven, " ".join(found.proof.differences)


@pytest.mark.parametrize(
    "fault", [pytest.param(one, marks=[] if one in SHORT else pytest.mark.long, id=one.__name__) for one in FAULTS]
)
def test_a_backup_that_is_not_what_was_there_is_damaged(shop, older, taken, fault):
    kept, folder = taken
    fault(shop, folder, older)

    proven, told = shown_by(shop, kept)

    assert proven == "damaged"
    assert re.search(FAULTS[fault], told), told


@pytest.mark.long
def test_a_restore_that_hangs_is_ended_at_its_deadline_and_is_no_proof(shop, older):
    shop.sql(SLOW)
    kept, _ = shop.take()
    shop.sql("drop materialized view slow")

    proven, told = shown_by(shop, kept, deadline_seconds=20)

    assert (proven, "took longer than 20 s, and was ended" in told) == ("damaged", True), told
    with open_sandbox(shop.keeper.home, "run-2", "look") as sandbox:
        assert not [one for one in sandbox.client.containers.list(all=True) if "-backup-" in str(one.name)]
    shop.keeper.folder.forget(kept.name)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_fifty_backups_of_a_database_that_changes_are_proven(shop, older):
    for n in range(50):
        shop.sql(f"update task set title = title || '.' where id % 50 = {n}; delete from task where id % 997 = {n}")
        kept, _ = shop.take()
        assert shown_by(shop, kept) == ("proven", "")
        shop.keeper.folder.forget(kept.name)


def rewritten(folder, **fields):
    look = json.loads((folder / LOOK).read_text())
    (folder / LOOK).write_text(json.dumps(look | fields))


def restored(shop, kept):
    access = find_database(shop.names)
    return shop.keeper.restore(access, kept.name, "before", list_names(shop.server, access), "run-1")


def test_what_does_not_fit_is_refused_before_anything_is_restored(shop, older, taken):
    kept, folder = taken
    before = list_names(shop.server, find_database(shop.names))
    rewritten(folder, database_bytes=10**15)
    with pytest.raises(Rejected, match=r"no room .*: 1100000000 MB are needed, \d+ MB are free\n  next: headway data"):
        restored(shop, kept)
    rewritten(folder, server="99.1")
    with pytest.raises(Misconfigured, match=r"is of PostgreSQL 99, and the image of database\.image has 15; all"):
        restored(shop, kept)
    with pytest.raises(Misconfigured, match="is of PostgreSQL 99"):
        shop.keeper.prove(kept.name, "run-1")

    assert list_names(shop.server, find_database(shop.names)) == before

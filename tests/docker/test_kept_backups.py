"""Backups that are kept, and a database that lost its container, its volume or its password: one server for all."""

import re
import shutil
import stat
from dataclasses import dataclass

import pytest
from docker.errors import NotFound
from pydantic import SecretStr

from delivery.docker.backups import DockerBackups
from delivery.docker.database import beside, database
from delivery.docker.database.database import ensure_database, ensure_network, find_database, holds_data
from delivery.docker.database.keeping import Keeper
from delivery.docker.database.migration_end import end_migration
from delivery.docker.database.passwords import password_file
from delivery.docker.engine.client import connect
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.docker.own_database import DockerDatabase
from delivery.docker.sandbox.sandbox import engine_errors, open_sandbox
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.ports.database import DatabaseAccess
from delivery.spec.database import ContainerDatabase
from tests.delivery.values import make_app
from tests.support.images import image_of
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("kept-backups")]
DATABASE = ContainerDatabase(name="shop")
APP = make_app().model_copy(update={"database": DATABASE})
FILL = """create table task (id serial primary key, title text not null);
insert into task (title) select 'task ' || n from generate_series(1, 500) n;
comment on database shop is 'of the shop'; alter database shop set lock_timeout = '7s';"""


@dataclass
class Place:
    """An environment's database with 500 rows."""

    home: Home
    names: EnvironmentNames
    image: str

    @property
    def keeper(self) -> Keeper:
        return Keeper(self.names, self.home, None, self.image)

    @property
    def access(self) -> DatabaseAccess:
        return find_database(self.names)

    @property
    def container(self):
        return connect().containers.get(self.names.database)

    def ensure(self, image="", extensions=(), **more):
        changed = {"image": image or DATABASE.image, "extensions": extensions}
        asked = DATABASE.model_copy(update=changed)
        return ensure_database(asked, self.names, image=image or self.image, home=self.home, **more)

    def sql(self, script, database="shop", user="app"):
        argv = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database, "-c", script]
        code, said, errors = run_in(self.container, argv)  # the engine's own loses what is said at once
        assert code == 0, errors
        return said.strip()

    def restore(self, backup, into):
        access = self.ensure(anew=True)
        return self.keeper.restore(access, backup, into, beside.list_names(self.container, access), "run-1")

    def lose(self, *, volume=False):
        self.container.remove(force=True)
        if volume:
            connect().volumes.get(self.names.database).remove()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        names = EnvironmentNames(home.identity, "shop", "production")
        ensure_network(connect(), names)
        place = Place(home, names, resolve_base(DATABASE.image, home=home).used)
        place.ensure()
        place.sql(FILL)
        yield place


@pytest.fixture(scope="module")
def kept(place):
    return place.keeper.take(place.access, "run-1", "by hand")


def test_a_backup_is_kept_outside_of_the_environment_for_its_owner_alone(place, kept):
    [found] = place.keeper.folder.all()
    folder = place.home.backups / "shop" / "production" / kept.name

    assert (found.name, found.rows, found.tables, found.proven) == (kept.name, 500, 1, "not proven")
    assert found.where == str(folder)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert place.sql("select count(*) from pg_largeobject", user="headway") == "0"


def test_the_proof_is_of_the_backup_that_is_kept_and_a_damaged_one_is_none(place, kept):
    dump = place.home.backups / "shop" / "production" / kept.name / "database.dump"
    whole = dump.read_bytes()
    dump.write_bytes(whole[:2000])
    with pytest.raises(Rejected, match="the backup could not be restored"):
        place.keeper.prove(kept.name, "run-1")
    dump.write_bytes(whole)

    assert place.keeper.folder.all()[0].proven == "damaged"


def test_a_program_that_says_nothing_for_too_long_is_named(place):
    with pytest.raises(Rejected, match=r"^sleep said nothing for 0\.2 s in headway-"), engine_errors():
        run_in(place.container, ["sleep", "3"], seconds=0.2)


def test_a_backup_comes_back_beside_the_live_database_and_never_over_it(place, kept):
    place.sql("insert into task (title) values ('after the backup')")

    restored = place.restore(kept.name, "before")
    with pytest.raises(Misconfigured, match="nothing is restored over a database"):
        place.restore("latest", "before")
    with pytest.raises(Misconfigured, match="nothing is restored over a database"):
        place.restore("latest", "shop")

    assert (restored.rows, restored.tables) == (500, 1)
    assert place.sql("select count(*) from task", "before") == "500"
    assert place.sql("select count(*) from task") == "501"
    assert place.sql("select shobj_description(oid, 'pg_database') from pg_database where datname = 'before'") == (
        "of the shop"
    )
    assert place.sql("show lock_timeout", "before") == "7s"
    assert place.sql("select count(*) from pg_largeobject", "before", "headway") == "0"


def test_a_database_whose_name_has_a_space_is_one(place):
    place.sql('create database "two words"', user="headway")

    names = beside.list_names(place.container, place.access)

    place.sql('drop database "two words"', user="headway")
    assert "two words" in names
    assert "two" not in names


def test_a_restored_database_is_put_behind_the_application_and_the_one_before_is_kept(place, kept):
    if "before" not in beside.list_names(place.container, place.access):
        place.restore(kept.name, "before")
        place.sql("insert into task (title) values ('after the backup')")
    with open_sandbox(place.home, "run-1", "users") as sandbox:
        user = sandbox.start(
            "user",
            place.image,
            ["sh", "-c", "psql -c 'select pg_sleep(600)'"],
            env=place.access.client_env(),
            network=place.names.backbone,
        )
        kept_as = beside.use_database(place.container, place.access, place.names, "before")
        assert user.wait(timeout=60)["StatusCode"] != 0  # its connection ended

    assert place.sql("select count(*) from task") == "500"
    assert place.sql("select count(*) from task", kept_as) == "501"
    assert beside.list_names(place.container, place.access) == ("shop", kept_as)
    with pytest.raises(Misconfigured, match="is the one that the application uses"):
        beside.drop_database(place.container, place.access, place.names, "shop")
    beside.drop_database(place.container, place.access, place.names, kept_as)
    assert beside.list_names(place.container, place.access) == ("shop",)


def test_what_the_database_still_does_for_a_migration_that_was_given_up_is_ended(place):
    with open_sandbox(place.home, "run-7", "migrate") as sandbox:
        working = sandbox.start(
            "migrate",
            place.image,
            ["psql", "-c", "select pg_sleep(600)"],
            env=place.access.client_env(),
            network=place.names.backbone,
        )
        active = "select count(*) from pg_stat_activity where query like 'select pg_sleep%' and client_addr is not null"
        while place.sql(active) == "0":
            working.reload()
            assert working.status == "running"

        ended = end_migration(connect(), place.names, "run-7")

        working.reload()
        assert working.status == "exited"
    assert (ended.containers, ended.sessions) == (1, 1)
    assert place.sql(active) == "0"
    assert not end_migration(connect(), place.names, "run-7")


def refusal(place, script):
    """Return what the server says to the application's user instead of running a script; nothing when it runs it."""
    code, _, errors = run_in(place.container, ["psql", "-XqAt", "-U", "app", "-d", "shop", "-c", script])
    return errors if code else ""


def test_the_application_owns_its_database_and_is_master_of_nothing_else(place):
    rights = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"

    assert place.sql(f"select {rights} from pg_roles where rolname = 'app'") == "f|f|f|f|f"
    assert place.sql("select pg_get_userbyid(datdba) from pg_database where datname = 'shop'") == "app"
    assert refusal(place, "begin; create schema own; create extension pgcrypto; rollback") == ""
    assert refusal(place, "begin; drop schema public cascade; create schema public; rollback") == ""
    for forbidden in (
        "copy (select 1) to program 'id'",
        "select pg_read_file('/etc/passwd')",
        "create role mine superuser",
        "alter role headway password 'mine'",
        "create database mine",
        "create event trigger mine on ddl_command_start execute function now()",
    ):
        assert re.search("permission denied|must be", refusal(place, forbidden)), forbidden


@pytest.mark.long
def test_a_server_that_was_made_with_the_application_as_its_administrator_goes_on_as_it_is(tmp_path, place):
    with own_platform(tmp_path / "platform") as home:
        old = Place(home, EnvironmentNames(home.identity, "shop", "production"), place.image)
        ensure_network(connect(), old.names)
        made = DatabaseAccess(name="shop", password=SecretStr("of before"))
        client, names = connect(), old.names
        database._create(client, DATABASE, names, old.image, made, administered=False)
        first = old.ensure()
        old.sql(FILL)

        old.lose()
        second = old.ensure()
        old.lose()
        password_file(home, names).unlink()
        third = old.ensure()
        kept = old.keeper.take(third, "run-1", "by hand")

        assert first == second == made
        assert third.user == "app"
        assert kept.rows == 500
        assert old.sql("select rolsuper from pg_roles where rolname = 'app'") == "t"
        # A backup of it makes nobody an administrator elsewhere.
        shutil.copytree(
            home.backups / "shop" / "production" / kept.name, place.home.backups / "shop" / "production" / kept.name
        )
        place.restore(kept.name, "of_before")
        assert place.sql("select rolsuper from pg_roles where rolname = 'app'") == "f"
        assert place.sql("select count(*) from task", "of_before") == "500"
        beside.drop_database(place.container, place.access, place.names, "of_before")
        place.keeper.folder.forget(kept.name)


def test_extensions_that_only_an_administrator_makes_are_made_where_the_file_names_them(place):
    place.ensure(extensions=("pageinspect",))
    with pytest.raises(Misconfigured) as told:
        place.ensure(extensions=("no_such_thing",))

    assert place.sql("select extname from pg_extension where extname = 'pageinspect'") == "pageinspect"
    assert told.value.where == "headway.yaml: database.extensions"
    assert "no_such_thing" in str(told.value)


def test_a_container_that_was_lost_is_made_again_with_the_password_it_had(place):
    before = place.access
    place.lose()

    with pytest.raises(Rejected, match="is gone, so nothing was backed up"):
        DockerBackups(DockerDatabase(APP, place.names, place.home, None)).take("run-1", "by schedule")
    assert holds_data(place.names)
    assert place.ensure() == before
    assert place.sql("select count(*) from task") == "500"
    assert stat.S_IMODE(password_file(place.home, place.names).stat().st_mode) == 0o600


def test_a_volume_whose_password_nobody_knows_any_more_gets_another_one(place):
    place.lose()
    password_file(place.home, place.names).unlink()

    access = place.ensure()

    assert access == place.ensure()
    assert place.sql("select count(*) from task") == "500"


def test_a_database_that_does_not_let_its_user_in_is_not_ready(place, monkeypatch):
    monkeypatch.setattr("delivery.docker.database.logins.LOGIN_SECONDS", 0.1)
    place.sql("alter role app password 'another'")
    try:
        with pytest.raises(Misconfigured, match=r"does not let app in: .*password authentication failed"):
            place.ensure()
    finally:
        place.sql(f"alter role app password '{place.access.password.get_secret_value()}'")


def test_a_changed_image_is_applied_and_the_data_stays(place):
    before, access = place.container.id, place.access
    with image_of(DATABASE.image, {}, changes=['CMD ["postgres"]', "ENV MARK=new"]) as image:
        assert place.ensure() == access
        assert place.container.id == before

        place.ensure(image)

        assert "MARK=new" in place.container.attrs["Config"]["Env"]
        assert place.ensure(image) == access
        assert place.sql("select count(*) from task") == "500"
        place.ensure()
    with pytest.raises(Misconfigured, match="the database of production is called shop"):
        ensure_database(ContainerDatabase(name="bank"), place.names, image=place.image, home=place.home)


def test_a_lost_volume_is_told_and_a_backup_takes_its_place(place, kept):
    access = place.access
    place.lose(volume=True)

    with pytest.raises(Misconfigured, match="its data is gone") as told:
        place.ensure()
    with pytest.raises(NotFound):
        connect().volumes.get(place.names.database)
    restored = place.restore(kept.name, "back")
    beside.use_database(place.container, access, place.names, "back")

    assert "headway restore" in told.value.next_step
    assert place.access == access
    assert (restored.rows, place.sql("select count(*) from task")) == (500, "500")


def test_secrets_of_the_database_stand_in_no_label_and_no_argument(place):
    attrs = place.container.attrs
    password = place.access.password.get_secret_value()

    assert SecretStr(password) == place.access.password
    assert password not in str(attrs["Config"]["Labels"]) + str(attrs["Args"]) + str(attrs["Path"])


def test_a_database_that_headway_yaml_does_not_have_is_told(place):
    with pytest.raises(Misconfigured, match=r"headway\.yaml has none"):
        DockerDatabase(make_app(), place.names, place.home, None).ensure()

"""Where a database keeps its data is what its image says; data of another version is never left aside."""

from dataclasses import replace

import pytest

from delivery.docker.database.database import accepts_queries, ensure_database, ensure_network, start_in_memory
from delivery.docker.database.database_image import _said, database_image
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.docker.sandbox.probe import wait_until
from delivery.docker.sandbox.sandbox import open_sandbox
from delivery.errors import Misconfigured
from delivery.spec.database import ContainerDatabase
from tests.support.images import image_of
from tests.support.platforms import own_platform

DATABASE = ContainerDatabase(name="shop")
# As the image of PostgreSQL 18 says it.
STARTS = 'CMD ["postgres"]'
MOVED = [STARTS, "ENV PGDATA=/var/lib/postgresql/18/docker", "VOLUME /var/lib/postgresql"]


@pytest.mark.parametrize(
    ("config", "folder", "mount"),
    [
        (
            {"Env": ["PGDATA=/var/lib/postgresql/data"], "Volumes": {"/var/lib/postgresql/data": {}}},
            "/var/lib/postgresql/data",
            "/var/lib/postgresql/data",
        ),
        (
            {"Env": ["PGDATA=/var/lib/postgresql/18/docker"], "Volumes": {"/var/lib/postgresql": {}}},
            "/var/lib/postgresql/18/docker",
            "/var/lib/postgresql",
        ),
        ({"Env": ["PGDATA=/data/db"], "Volumes": {"/other": {}}}, "/data/db", "/data/db"),
        ({"Env": None, "Volumes": {"/bitnami/postgresql": {}}}, "/bitnami/postgresql", "/bitnami/postgresql"),
        ({"Env": [], "Volumes": None}, "/var/lib/postgresql/data", "/var/lib/postgresql/data"),
    ],
)
def test_the_data_folder_is_what_the_image_says(config, folder, mount):
    said = _said("postgres:18", config)

    assert (said.folder, said.mount) == (folder, mount)


@pytest.mark.parametrize(
    ("user", "is_root"), [("", True), ("root", True), ("0:0", True), ("999", False), ("pg", False)]
)
def test_the_user_is_what_the_image_says(user, is_root):
    said = _said("postgres:18", {"User": user})

    assert said.is_root == is_root
    assert said.in_memory()[0] == ({} if is_root else {"PGDATA": "/headway-in-memory/data"})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        yield home


def environment(home, name):
    names = EnvironmentNames(home.identity, "shop", name)
    ensure_network(connect(), names)
    return names


def folder_of(names):
    container = connect().containers.get(names.database)
    [mount] = [one for one in container.attrs["Mounts"] if one["Name"] == names.database]
    code = container.exec_run(["sh", "-c", f"test -s {mount['Destination']}/18/docker/PG_VERSION"]).exit_code
    return mount["Destination"], code


@pytest.mark.long
@pytest.mark.docker
def test_an_image_that_moved_its_data_folder_keeps_its_data_in_the_volume(home):
    names = environment(home, "moved")
    with image_of(DATABASE.image, {}, changes=MOVED) as image:
        ensure_database(DATABASE, names, image=image, home=home)

        assert folder_of(names) == ("/var/lib/postgresql", 0)


@pytest.mark.docker
@pytest.mark.parametrize("changes", [MOVED, [*MOVED, "USER 999"]], ids=["folder", "folder and user"])
def test_a_database_in_memory_starts_with_the_folder_and_the_user_of_its_image(home, changes):
    with image_of(DATABASE.image, {}, changes=changes) as image, open_sandbox(home, "run-1", "cell") as sandbox:
        container, access = start_in_memory(sandbox, image, "shop")
        wait_until(lambda: accepts_queries(container, access), container, 60)

        kept = container.exec_run(["sh", "-c", "stat -f -c %T $PGDATA"]).output.decode().strip()

    assert kept == "tmpfs"


@pytest.mark.docker
def test_a_kept_database_is_never_left_aside_for_an_empty_one(home):
    names, client = environment(home, "kept"), connect()
    old = resolve_base(DATABASE.image, home=home).used
    ensure_database(DATABASE, names, image=old, home=home)
    newer = DATABASE.model_copy(update={"image": "postgres:18"})
    with (
        image_of(DATABASE.image, {}, changes=[*MOVED, "ENV PG_MAJOR=18"]) as upgraded,
        image_of(DATABASE.image, {}, changes=MOVED) as moved,
    ):
        with pytest.raises(Misconfigured) as beside:
            ensure_database(newer, names, image=upgraded, home=home)
        client.containers.get(names.database).remove(force=True)
        with pytest.raises(Misconfigured) as anew:
            ensure_database(newer, names, image=upgraded, home=home)
        with pytest.raises(Misconfigured) as elsewhere:
            ensure_database(newer, names, image=moved, home=home)
    made = client.containers.list(all=True, filters={"name": names.database})
    volume = replace(database_image(client, old), folder="/v", mount="/v")
    left = client.containers.run(
        old, ["cat", "/v/PG_VERSION"], volumes={names.database: {"bind": volume.mount, "mode": "ro"}}, remove=True
    )

    for refused in (beside, anew):
        assert "database.image: postgres:18: is PostgreSQL 18" in str(refused.value)
        assert "PostgreSQL 15" in str(refused.value)
        assert "pg_upgrade" in refused.value.next_step
    assert "would begin an empty one in 18/docker" in str(elsewhere.value)
    assert (made, left) == ([], b"15\n")

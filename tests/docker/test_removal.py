"""What an application has on a real engine goes as a whole, and nothing of another application."""

from contextlib import closing

import httpx
import pytest

from delivery.changes.ledger import LABEL_PLATFORM
from delivery.docker.database.database import ensure_database
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.docker.images.pushing import push
from delivery.docker.images.registry import ensure_registry
from delivery.docker.target.backing import ensure_backing
from delivery.docker.target.docker_host import DockerHost
from delivery.docker.target.removal import find_belongings, find_environments, find_repositories, remove_images
from delivery.errors import Rejected
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.spec.database import ContainerDatabase
from tests.support.platforms import free_port, own_platform
from tests.support.registries import key_of

pytestmark = pytest.mark.docker

APP = App.model_validate(
    {
        "app": "shop",
        "images": {"web": {}},
        "services": {"web": {"port": 8000}},
        "backing": {"cache": {"image": "busybox", "command": ["sleep", "600"], "volume": "/data"}},
        "environments": {"production": {}, "staging": {}},
    }
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        yield home


@pytest.fixture
def shop(home):
    """A shop with a database in each of two environments, and a shoppe with one."""
    client = connect()
    image = resolve_base(ContainerDatabase().image, home=home).used
    for app, environment in (("shop", "production"), ("shop", "staging"), ("shoppe", "production")):
        names = EnvironmentNames(home.identity, app, environment)
        ensure_database(ContainerDatabase(), names, image=image, home=home)
        if (app, environment) == ("shop", "production"):
            ensure_backing(client, names, APP, home, None)
    return home


def target(home, environment, sequence=1):
    settings = EnvironmentSettings(app="shop", environment=environment)
    described = APP.environments[environment]
    return closing(DockerHost(APP, described, described.target, settings, sequence=sequence, home=home))


def names_of(home, app, environment):
    return EnvironmentNames(home.identity, app, environment)


def left(home):
    """Return the names of all that the platform has on the engine."""
    client, label = connect(), {"label": f"{LABEL_PLATFORM}={home.identity}"}
    found = [
        *client.containers.list(all=True, filters=label),
        *client.networks.list(filters=label),
        *client.volumes.list(filters=label),
    ]
    return {one.name for one in found}


def test_an_environment_goes_with_its_database_and_no_other_is_touched(shop):
    production, staging = names_of(shop, "shop", "production"), names_of(shop, "shop", "staging")
    others = {name for name in left(shop) if not name.startswith(production.backbone)}
    with target(shop, "production") as host:
        found = host.belongings()
        assert [(one.keeps, one.name) for one in found if one.keeps] == [
            ("data of cache", production.backing("cache")),
            ("the database", production.database),
        ]
        assert [one.kind for one in found if not one.keeps] == ["container", "container", "network"]

        assert host.remove() == found

        assert host.belongings() == host.remove() == ()
    assert left(shop) == others
    assert find_environments(shop, "shop") == {"staging"}
    assert len(find_belongings(connect(), names_of(shop, "shoppe", "production"))) == 3
    assert connect().containers.get(staging.database).status == "running"


@pytest.mark.long
def test_what_something_else_uses_is_told_and_named(shop, monkeypatch):
    monkeypatch.setattr("delivery.docker.target.removal.REMOVE_SECONDS", 2)
    names, client = names_of(shop, "shop", "staging"), connect()
    image = resolve_base("busybox", home=shop).used
    mount = {names.database: {"bind": "/data", "mode": "ro"}}
    foreign = client.containers.run(image, ["sleep", "600"], detach=True, volumes=mount)
    try:
        with target(shop, "staging") as host, pytest.raises(Rejected, match=f"in use is: volume {names.database}"):
            host.remove()
    finally:
        foreign.remove(force=True)
    with target(shop, "staging") as host:
        assert [one.name for one in host.remove()] == [names.database]


def test_its_images_go_from_registry_and_engine_and_those_of_others_stay(home):
    registry = ensure_registry(home, preferred_port=free_port()).address
    client = connect()
    base = client.images.get(resolve_base("busybox", home=home).used)
    for name in ("shop/web", "shop/release", "shoppe/web"):
        push(base, f"{registry}/{name}", "1", home)
    assert sorted(find_repositories(home, "shop")) == ["shop/release", "shop/web"]

    remove_images(home, "shop", registry)

    assert find_repositories(home, "shop") == []
    with httpx.Client(base_url=f"http://{registry}/v2", auth=key_of(home), timeout=10) as there:
        assert there.get("/_catalog").json()["repositories"] == ["shoppe/web"]
        assert there.get("/shop/web/tags/list").status_code == 404
    tags = {tag for image in client.api.images() for tag in image["RepoTags"] or () if tag.startswith(registry)}
    assert tags == {f"{registry}/shoppe/web:1"}
    push(base, f"{registry}/shop/web", "2", home)  # it may come back
    assert find_repositories(home, "shop") == ["shop/web"]


@pytest.mark.long
def test_a_name_that_is_none_removes_nothing(home):
    registry = ensure_registry(home, preferred_port=free_port()).address
    base = connect().images.get(resolve_base("busybox", home=home).used)
    push(base, f"{registry}/shoppe/web", "1", home)

    for app in ("..", "../..", "", "shop/web", "*"):
        remove_images(home, app, registry)

        assert find_repositories(home, app) == []
        assert find_repositories(home, "shoppe") == ["shoppe/web"]

"""What the parts of an application may have on a real engine: long names, volumes, secrets, limits."""

import json
import secrets
from contextlib import ExitStack, closing, contextmanager

import httpx
import pytest
from pydantic import SecretStr

from delivery.docker.database.database import ensure_network
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.docker.target import written
from delivery.docker.target.backing import ensure_backing
from delivery.docker.target.docker_host import DockerHost
from delivery.docker.target.lifecycle import purge_environments
from delivery.errors import Misconfigured, ReleaseUnhealthy
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from tests.delivery.values import make_release
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker-parts")]
BUSYBOX = "busybox:1.36"
SERVES = ["sh", "-c", "mkdir -p /w && exec httpd -f -p 8000 -h /w"]
SLEEPS = ["sh", "-c", "trap exit TERM; sleep 600 & wait"]  # ends when it is asked to
LONG = "a-name-of-thirty-nine-characters-in-all"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        yield home


@pytest.fixture
def images(home):
    """Make images from busybox: commands that prepare the files, then changes as a Dockerfile has them."""
    client, made = connect(), []
    base = resolve_base(BUSYBOX, home=home).used

    def make(script, *changes):
        container = client.containers.run(base, ["sh", "-c", script], detach=True, user="0")
        container.wait()
        name = f"headway-test-{secrets.token_hex(4)}"
        container.commit(name, "1", changes=list(changes))
        container.remove(force=True)
        made.append(f"{name}:1")
        return made[-1]

    yield make
    for name in made:
        client.images.remove(name, force=True)


class Shop:
    """An environment and what stands in it; each release has a lease of its own."""

    def __init__(self, home, app, opened):
        [environment] = app.environments
        self.home, self.app, self.environment, self.opened, self.sequence = home, app, environment, opened, 0
        self.names = EnvironmentNames(home.identity, app.app, environment)
        self.parts = {}

    def change(self, **sections):
        self.app = App.model_validate(self.app.model_dump(mode="json") | sections)

    def host(self):
        settings = EnvironmentSettings(app=self.app.app, environment=self.environment, parts=self.parts)
        policy = self.app.environments[self.environment]
        host = DockerHost(self.app, policy, policy.target, settings, sequence=self.sequence, home=self.home)
        return self.opened.enter_context(closing(host))

    def stage(self, number):
        self.sequence = number
        return self.host().stage(self.app, make_release(number, app=self.app.app))

    def shift(self, number):
        return self.host().shift(make_release(number, app=self.app.app), 100)

    def release(self, number):
        self.stage(number)
        self.shift(number)
        return self.host().retire(make_release(number, app=self.app.app))

    def container(self, colour, service="web", number=1):
        return connect().containers.get(self.names.instance(colour, service, number))

    def backing(self, name):
        return connect().containers.get(self.names.backing(name))

    def volumes(self):
        return {one.name for one in connect().volumes.list(filters={"name": self.names.backbone})}


@contextmanager
def opened(home, *, app=None, environment="production", web=None, **sections):
    service = {"image": BUSYBOX, "command": SERVES, "port": 8000, "stop_seconds": 0, "start_seconds": 20}
    fields = {
        "app": app or f"shop-{secrets.token_hex(3)}",
        "images": {"web": {}},
        "services": {"web": service | (web or {})},
        "environments": {environment: {}},
    }
    with ExitStack() as hosts:
        yield Shop(home, App.model_validate(fields | sections), hosts)


def run_in(container, script):
    ended = container.exec_run(["sh", "-c", script])
    return ended.exit_code, ended.output.decode().strip()


@pytest.mark.long
def test_an_application_with_the_longest_names_is_released_twice(home):
    web = {"image": BUSYBOX, "command": SERVES, "port": 8000, "stop_seconds": 0}
    backing = {LONG[:-1] + "s": {"image": BUSYBOX, "command": SLEEPS, "volume": "/data"}}
    with opened(home, app=LONG, environment=LONG, services={LONG: web}, backing=backing) as shop:
        for number in (1, 2):
            state = shop.release(number)

            assert state.live.colour == ("blue", "green")[number - 1]
            assert state.live.healthy
            assert httpx.get(state.url).status_code == 404  # of the application: it has no such file
        shop.host().remove()


def test_an_environment_whose_names_would_be_those_of_another_is_refused(home):
    token = secrets.token_hex(3)
    with opened(home, app=f"shop-{token}", environment="eu-live") as first:
        first.stage(1)
        with opened(home, app=f"shop-{token}-eu", environment="live") as second:
            with pytest.raises(Misconfigured, match=f"which eu-live of shop-{token} has here already"):
                second.stage(1)


def test_what_users_uploaded_is_there_after_the_next_release_and_for_all_that_name_the_volume(home):
    web = {"image": BUSYBOX, "command": SERVES, "port": 8000, "stop_seconds": 0, "volumes": {"uploads": "/w/uploads"}}
    worker = {"image": BUSYBOX, "command": SLEEPS, "stop_seconds": 0, "volumes": {"uploads": "/in"}}
    with opened(home, services={"web": web, "worker": worker}) as shop:
        shop.release(1)
        assert run_in(shop.container("blue"), "echo cat >/w/uploads/a.txt")[0] == 0
        shop.stage(2)
        url = shop.shift(2).url

        assert httpx.get(f"{url}/uploads/a.txt").text == "cat\n"
        assert run_in(shop.container("blue", "worker"), "echo dog >/in/b.txt")[0] == 0  # both slots write to it
        assert httpx.get(f"{url}/uploads/b.txt").text == "dog\n"
        state = shop.host().retire(make_release(2, app=shop.app.app))

        assert httpx.get(f"{state.url}/uploads/a.txt").text == "cat\n"
        kept = [(one.name, one.keeps) for one in shop.host().belongings() if one.keeps]
        assert kept == [(f"{shop.names.backbone}.uploads", "volume uploads of the services")]
        shop.host().remove()
        assert shop.volumes() == set()


def test_volumes_go_when_a_platform_is_purged(tmp_path):
    with own_platform(tmp_path / "purged") as home, opened(home, web={"volumes": {"uploads": "/w"}}) as shop:
        shop.stage(1)

        purge_environments(home)

        assert shop.volumes() == set()


@pytest.mark.long
def test_an_application_that_is_not_root_can_write_to_its_volumes(home, images):
    makes = "echo kim:x:7:7::/:/bin/sh >>/etc/passwd; mkdir -p /app/own; echo first >/app/own/a; chown -R 7 /app/own"
    image = images(makes, "USER kim")
    volumes = {"own": "/app/own", "new": "/app/deep/new"}
    web = {"image": image, "command": ["httpd", "-f", "-p", "8000", "-h", "/app"], "volumes": volumes}
    with opened(home, web=web) as shop:
        for number in (1, 2):
            shop.stage(number)
            code, said = run_in(
                shop.container("blue"), f"cat /app/own/a; id -un; touch /app/own/{number} /app/deep/new/{number}"
            )
            assert (code, said) == (0, "first\nkim")
        assert run_in(shop.container("blue"), "ls /app/deep/new")[1] == "1\n2"


def test_what_is_lost_with_each_release_is_told_before_it_is_lost(home, images, monkeypatch):
    monkeypatch.setattr(written, "START_SECONDS", -3600)
    image = images("mkdir -p /app/uploads /app/kept", "WORKDIR /app", "VOLUME /data")
    volumes = {"kept": "/app/kept"}
    web = {"image": image, "command": ["httpd", "-f", "-p", "8000", "-h", "/app"], "volumes": volumes}
    with opened(home, web=web) as shop:
        shop.release(1)
        told = shop.host().losses(shop.app)
        unnamed = (
            "services.web: /data is a volume of the image without a name, new and empty in each release: "
            "services.web.volumes keeps it"
        )
        assert told == (unnamed,)

        passing = "/tmp/a /var/log/b.log /app/__pycache__/c.pyc /app/x.pid /app/tmp/d /home/node/.npm/e"
        files = f"/app/uploads/2030/1.png /app/uploads/2.png /app/shop.db /app/new/3 /app/kept/4 /data/5 {passing}"
        assert run_in(shop.container("blue"), f"for f in {files}; do mkdir -p ${{f%/*}}; echo x >$f; done")[0] == 0
        shop.stage(2)

        assert shop.host().losses(shop.app) == (
            "services.web writes to /app/new (1 file), which is lost with each release: services.web.volumes keeps it",
            "services.web writes /app/shop.db, beside the program, which is lost with each release: "
            "in a folder of its own services.web.volumes keeps it",
            "services.web writes to /app/uploads (2 files), which are lost with each release: "
            "services.web.volumes keeps them",
            unnamed,
        )


@pytest.mark.long
def test_what_a_container_writes_while_it_starts_is_no_loss(home):
    makes = "mkdir -p /w/made && echo 1 >/w/made/env.js && exec httpd -f -p 8000 -h /w"
    with opened(home, web={"command": ["sh", "-c", makes]}) as shop:
        shop.stage(1)

        assert shop.host().losses(shop.app) == ()


def test_a_backing_service_gets_the_secret_of_its_environment_and_is_made_anew_when_it_changes(home):
    backing = {"cache": {"image": BUSYBOX, "command": SLEEPS, "secrets": ["PASSWORD"], "volume": "/data"}}
    with opened(home, backing=backing) as shop:
        ensure_network(connect(), shop.names)

        def ensure(password):
            secrets = {"backing.cache": {"PASSWORD": SecretStr(password)}}
            ensure_backing(connect(), shop.names, shop.app, home, None, secrets)
            return shop.backing("cache")

        first, again, changed = ensure("s3cr3t-a"), ensure("s3cr3t-a"), ensure("s3cr3t-b")

        assert first.id == again.id != changed.id
        assert run_in(changed, 'echo "$PASSWORD"')[1] == "s3cr3t-b"
        assert "s3cr3t" not in json.dumps([first.labels, changed.labels])


def test_a_secret_that_an_instance_prints_is_not_in_what_is_told_of_it(home):
    prints = ["sh", "-c", 'echo "the password is $PASSWORD"; exit 3']
    with opened(home, web={"command": prints, "secrets": ["PASSWORD"]}) as shop:
        shop.parts = {"services.web": {"PASSWORD": SecretStr("s3cr3t-c")}}
        with pytest.raises(ReleaseUnhealthy) as told:
            shop.stage(1)

        assert "the password is ***" in str(told.value)
        assert "s3cr3t" not in str(told.value)


def test_parts_run_within_their_limits_with_their_secrets_and_as_process_1_where_asked(home):
    limits = {"cpus": 0.5, "memory": "64m", "pids": 100}
    command = ["sh", "-c", "test $$ = 1 || exit 100; test ${#PASSWORD} = 8 || exit 101; " + SERVES[2]]
    backing = {"cache": {"image": BUSYBOX, "command": SLEEPS, **limits}}
    with opened(
        home, backing=backing, web={"command": command, "init": False, "secrets": ["PASSWORD"], **limits}
    ) as shop:
        shop.parts = {"services.web": {"PASSWORD": SecretStr("s3cr3t-d")}}

        assert shop.stage(1).healthy

        for container in (shop.container("blue"), shop.backing("cache")):
            given = container.attrs["HostConfig"]
            assert (given["NanoCpus"], given["Memory"], given["PidsLimit"]) == (500_000_000, 64 * 1024**2, 100)
        assert "s3cr3t" not in json.dumps(shop.container("blue").labels)


@pytest.mark.long
def test_a_release_that_needs_more_memory_than_it_may_have_is_told_so(home):
    greedy = ["sh", "-c", "exec tail /dev/zero"]
    with opened(home, web={"command": greedy, "memory": "16m"}) as shop:
        with pytest.raises(
            ReleaseUnhealthy, match=r"ended with exit code 137, out of memory \(services\.web\.memory: 16m\)"
        ):
            shop.stage(1)

"""How users come in, on a real engine: names, certificates, what an application is told of its user, who is well."""

import json
import re
import ssl
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from delivery.docker.target.router_scripts import FOLDER
from delivery.errors import Misconfigured, ReleaseUnhealthy
from delivery.ports.tls import read_certificate
from delivery.spec.app import App
from delivery.spec.environments import Watch
from tests.end_to_end.load import load_on
from tests.places.test_docker_host import (
    home,
    hosts,
    image,
    make_app,
    new_place,
    put_live,
    release,
    settings,
    things_of,
)
from tests.support.authority import self_signed

__all__ = ["home", "image", "release", "settings"]
pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker-entrance")]
NAMES = ("shop.example.com", "*.admin.example.com")
FIRST, SECOND = self_signed(*NAMES), self_signed("renewed.example.com", *NAMES)


def shop(**target):
    """An application that answers only to its own name, beside another that has its own names too."""
    web = {"port": 8000, "health": "/healthz", "version": "/version", "hosts": ["shop.example.com"], "stop_seconds": 2}
    services = {"web": web, "admin": {"port": 8000, "hosts": ["*.admin.example.com"], "stop_seconds": 2}}
    environment = {"target": {"tls": {"secret": "shop-tls"}} | target}
    return App.model_validate(
        make_app().model_dump(mode="json")
        | {"images": {"web": {}, "admin": {}}, "services": services, "environments": {"production": environment}}
    )


def showing(settings, pem):
    """The place with the certificate that its secret holds now."""

    def certificates():
        return (read_certificate("headway.yaml: environments.production.target.tls[0]", pem, datetime.now(UTC)),)

    return replace(settings, certificates=certificates)


def two_images(release, image, number):
    images = {"web": image("named", number), "admin": image("good", number + 10)}
    return release(number).model_copy(update={"images": images})


def trusting(pem, *, http2=True):
    """A client as a browser is: it takes the name and these certificates alone."""
    public = re.sub("-----BEGIN PRIVATE KEY.*?END PRIVATE KEY-----\n", "", pem, flags=re.DOTALL)
    return httpx.Client(verify=ssl.create_default_context(cadata=public), http2=http2, timeout=10)


def ask(client, url, path="/", host="shop.example.com", **headers):
    return client.get(
        f"{url}{path}", headers={"Host": host} | headers, extensions={"sni_hostname": host}, follow_redirects=False
    )


@pytest.fixture(scope="module")
def entrance(home, image, release):
    """The place with the first release live, and the addresses of its two entries."""
    with new_place() as bare, hosts(shop(), showing(bare, FIRST), home) as target:
        first = two_images(release, image, 1)
        put_live(shop(), target, first)
        router = target(1)._router()
        yield bare, first, f"http://127.0.0.1:{router.port}", f"https://127.0.0.1:{router.https_port}"


def test_an_application_that_answers_only_to_its_own_name_is_served_over_tls(entrance):
    _, _, _, https = entrance

    with trusting(FIRST) as client:
        answer = ask(client, https)

    assert (answer.status_code, answer.text, answer.http_version) == (200, "1", "HTTP/2")


def test_http_is_sent_on_to_https_with_its_path(entrance):
    _, _, http, https = entrance

    with httpx.Client() as client:
        answer = ask(client, http, "/cart?id=7")

    assert answer.status_code == 308
    assert answer.headers["location"] == f"https://shop.example.com:{https.rpartition(':')[2]}/cart?id=7"


def test_each_name_leads_to_its_service_and_an_unknown_one_to_a_plain_404(entrance):
    _, _, _, https = entrance

    with httpx.Client(verify=False) as client:  # of names that no certificate has
        told = {host: ask(client, https, host=host) for host in ("eu.admin.example.com", "a.b.admin.example.com", "x")}

    assert {host: answer.status_code for host, answer in told.items()} == {
        "eu.admin.example.com": 200,
        "a.b.admin.example.com": 404,
        "x": 404,
    }
    assert (told["eu.admin.example.com"].text, told["x"].text) == ("11", "no service has this host and path\n")


def test_an_application_is_told_how_its_user_came_and_not_what_the_user_says(entrance):
    _, _, _, https = entrance
    lies = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "gopher", "Forwarded": "for=1.2.3.4", "X-Real-IP": "9"}

    with trusting(FIRST) as client:
        headers = ask(client, https, "/headers", **lies, **{"X-Forwarded-Host": "evil.org"}).json()

    told = {name: value for name, value in headers if name.startswith(("x-forwarded", "forwarded", "x-real"))}
    user = told.pop("x-forwarded-for")
    assert told == {
        "x-forwarded-proto": "https",
        "x-forwarded-host": "shop.example.com",
        "x-forwarded-port": https.rpartition(":")[2],
    }
    assert user != "1.2.3.4"


def test_checks_and_suites_reach_an_application_with_a_name_of_its_own(entrance, home):
    bare, first, _, _ = entrance
    with hosts(shop(), bare, home) as target:
        answers = [target(1).ask("/"), target(1).ask("/", first), target(1).ask("/healthz", first, "web")]
        suite = target(1).address()
        said = target(1)._router()._run("sh", "-c", f"wget -q -O - {suite.replace('router', '127.0.0.1')}/headers")

    assert [[answer.status for answer in one] for one in answers] == [[200], [200], [200]]
    assert ["x-forwarded-proto", "https"] in json.loads(said)


def test_a_private_key_lies_in_the_routers_container_for_its_user_alone(entrance, home):
    bare, _, _, _ = entrance
    secret = FIRST.partition("-----BEGIN PRIVATE KEY-----\n")[2].splitlines()[0]
    with hosts(shop(), bare, home) as target:
        router = target(1)._router()
        listed = router._run("sh", "-c", f"cd {FOLDER} && stat -c '%a %U' *.pem && cat *.cfg")

    assert listed.startswith("600 haproxy\n")
    assert secret not in listed
    assert secret not in json.dumps(router.container.attrs)


def users_of(https, stop, failures):
    """Ask over a kept connection and over new ones, whichever of both certificates is shown."""
    with trusting(FIRST + SECOND, http2=False) as kept:
        while not stop.wait(0.05):
            with trusting(FIRST + SECOND, http2=False) as new:
                for client in (kept, new):
                    try:
                        answer = ask(client, https)
                        failures += [] if answer.status_code == 200 else [answer.status_code]
                    except httpx.HTTPError as error:
                        failures.append(repr(error))


def test_a_certificate_is_replaced_at_the_next_release_and_no_connection_is_lost(entrance, home, image, release):
    bare, _, _, https = entrance
    second = two_images(release, image, 2)
    behind = shop(trusted_proxies=["0.0.0.0/0", "::/0"])
    stop, failures = threading.Event(), []
    users = threading.Thread(target=users_of, args=(https, stop, failures))
    users.start()

    with hosts(behind, showing(bare, SECOND), home) as target:
        put_live(behind, target, second, 2)
        with trusting(SECOND) as new:
            lies = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "http"}
            headers = ask(new, https, "/headers", **lies).json()
        listed = target(2)._router()._run("sh", "-c", f"ls {FOLDER} | grep -c pem")
    stop.set()
    users.join()

    assert failures == []
    forwarded = [value for name, value in headers if name == "x-forwarded-for"]
    assert (forwarded[0], len(forwarded)) == ("1.2.3.4", 2)
    assert ["x-forwarded-proto", "http"] in headers
    assert listed.strip() == "1"


@pytest.mark.long
def test_a_rollback_does_not_fail_for_a_certificate_that_has_ended_meanwhile(entrance, home, image, release):
    bare, _, _, https = entrance
    third = two_images(release, image, 3)
    ended = self_signed(*NAMES, lives=timedelta(0))

    with hosts(shop(), showing(bare, ended), home) as target:
        state = put_live(shop(), target, third, 3)

    assert state.live.release == third
    with httpx.Client(verify=False) as client:  # whichever certificate it is
        assert ask(client, https).text == "3"


@pytest.mark.long
def test_an_application_that_loads_itself_at_its_first_request_is_staged_when_it_has(home, settings, release):
    lazy = release(1, kind="lazy")
    with hosts(make_app(health=None, start_seconds=60), settings, home) as target:
        target(1).stage(make_app(health=None, start_seconds=60), lazy)

        assert [answer.body for answer in target(1).ask("/loaded", lazy)] == [b"True"]


@pytest.mark.long
def test_a_release_whose_health_takes_more_than_a_second_is_not_withdrawn(home, settings, release):
    app, late = make_app(start_seconds=60), release(2, kind="late")
    with hosts(app, settings, home) as target:
        put_live(app, target, release(1))
        host = target(2)
        host.stage(app, late)
        host.guard(late)
        host.shift(late, 100)
        with load_on(host.observe().url, path="/", post=False, workers=2) as counts:
            seen = host.watch(late, Watch(max_slowdown=1000, longer_seconds=0, when_inconclusive="continue"), 4)
        host.confirm(late)

        assert (counts.failures, seen.verdict) == ([], "healthy")
        assert host.fallback is None


@pytest.mark.long
def test_a_slow_health_path_is_withdrawn_with_the_key_of_its_limit(home, settings, release):
    strict = {"path": "/healthz", "timeout_seconds": 0.5, "failures": 2}
    app = make_app(start_seconds=6, health=strict)
    with hosts(app, settings, home) as target:
        limit = (
            r"GET /healthz \(Host: localhost\) is not answered within 0.5 s \(services\.web\.health\.timeout_seconds\)"
        )
        with pytest.raises(ReleaseUnhealthy, match=rf"was not healthy within 6 s: {limit}"):
            target(1).stage(app, release(2, kind="late"))


@pytest.mark.long
def test_a_worker_from_the_image_of_a_web_server_does_not_inherit_its_check(home, settings, release):
    web = {"port": 8000, "health": {"path": "/healthz", "image_check": False}, "stop_seconds": 2, "start_seconds": 60}
    worker = {"image": "web", "command": ["python3", "-c", "import time; time.sleep(600)"], "stop_seconds": 0}
    app = App.model_validate(make_app().model_dump(mode="json") | {"services": {"web": web, "worker": worker}})
    with hosts(app, settings, home) as target:
        state = put_live(app, target, release(1, kind="checked"))

    assert {(one.service, one.healthy) for one in state.live.instances} == {("web", True), ("worker", True)}


@pytest.mark.long
def test_an_address_on_which_nothing_is_published_is_told_before_anything_is_staged(home, settings, release):
    """Docker Engine 20.10 takes `::1` and publishes nothing there; a newer one does publish it."""
    app = App.model_validate(
        make_app().model_dump(mode="json") | {"environments": {"production": {"target": {"bind": "::1"}}}}
    )
    with hosts(app, settings, home) as target:
        told = ""
        try:
            url = put_live(app, target, release(1)).url
            assert url.startswith("http://[::1]:")
            assert httpx.get(url).text == "1"
        except Misconfigured as refusal:
            told = str(refusal)
            assert not any("-web-" in name for name in things_of(settings))

    assert not told or told.startswith("headway.yaml: environments.production.target.bind: ::1, where nobody answers")

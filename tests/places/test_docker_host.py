import json
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from delivery.changes.ledger import LABEL_APP
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.registry_state import own_registry
from delivery.docker.sandbox.jobs import DockerJobs
from delivery.docker.target import host_look
from delivery.docker.target.docker_host import DockerHost
from delivery.docker.target.instances import list_instances
from delivery.docker.target.lifecycle import pause_environments, purge_environments, resume_environments
from delivery.docker.target.metrics import RouterMetrics
from delivery.errors import Misconfigured, Rejected, ReleaseUnhealthy
from delivery.ports.database import DatabaseAccess
from delivery.ports.logs import LogWish
from delivery.ports.settings import EnvironmentSettings
from delivery.programs import haproxy_runtime
from delivery.spec.app import App
from delivery.spec.checks import CommandCheck
from delivery.spec.database import ContainerDatabase
from delivery.spec.environments import Watch
from delivery.testing.checks import run_command
from delivery.waiting import until
from tests.end_to_end.load import load_on
from tests.places import lasting
from tests.places.contract import WATCH, Live, TargetContract, several
from tests.places.images import pushed_images, releases_of
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker-target")]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        yield home


@pytest.fixture(scope="module")
def image(home):
    with pushed_images(home) as get:
        yield get


@contextmanager
def new_place():
    """Yield a place that has never had a release, and remove what it has by then."""
    settings = EnvironmentSettings(app=f"shop-{secrets.token_hex(3)}", environment="production")
    try:
        yield settings
    finally:
        client, label = connect(), {"label": f"{LABEL_APP}={settings.app}"}
        for container in client.containers.list(all=True, filters=label, ignore_removed=True):
            container.remove(force=True, v=True)
        for network in client.networks.list(filters=label):
            network.remove()


@contextmanager
def hosts(app, settings, home):
    """Yield how to open the target of a place under a lease."""
    environment = app.environments["production"]
    with ExitStack() as opened:

        def make(sequence):
            host = DockerHost(app, environment, environment.target, settings, sequence=sequence, home=home)
            return opened.enter_context(closing(host))

        yield make


def make_app(**service):
    web = {"port": 8000, "health": "/healthz", "version": "/version", "stop_seconds": 2, "start_seconds": 8}
    return App.model_validate(
        {
            "app": "shop",
            "images": {"web": {}},
            "services": {"web": web | service},
            "environments": {"production": {"env": {"COLOUR_OF_THE_SKY": "grey"}}},
        }
    )


@pytest.fixture(scope="module")
def app():
    return make_app()


@pytest.fixture(scope="module")
def release(image):
    return releases_of(image)


@pytest.fixture
def settings():
    with new_place() as settings:
        yield settings


@pytest.fixture
def target(app, settings, home):
    with hosts(app, settings, home) as make:
        yield make


@pytest.fixture(scope="module")
def settled(app, home, release):
    """A place where release 1 is live, for all tests that leave it so: to make one takes seconds."""
    with new_place() as settings, hosts(app, settings, home) as make:
        put_live(app, make, release(1))
        yield settings


@pytest.fixture
def live(app, settled, home, release):
    first = release(1)
    with hosts(app, settled, home) as make:
        lease = make(0).observe().sequence
        yield Live(settled, first, lambda sequence: make(lease + sequence))
        last = make(lease + 9)
        for slot in last.observe().slots:
            if slot.release not in (None, first):
                last.withdraw(slot.release)
        state = last.observe()
        assert [(slot.release, slot.weight) for slot in state.slots if slot.release] == [(first, 100)]


class TestDockerHost(TargetContract):
    """The whole contract on a real engine."""

    # `make test` leaves these to the places in memory: what they say of containers, others here say too.
    long_here = frozenset(
        {
            "test_a_change_goes_on_with_a_target_that_is_opened_in_the_middle_of_it",
            "test_a_lease_that_is_over_is_told_so_also_when_its_release_is_gone",
            "test_a_lease_that_is_over_removes_nothing",
            "test_a_release_that_went_astray_is_not_confirmed_and_loses_its_traffic",
            "test_a_release_without_all_traffic_is_not_confirmed",
            "test_a_removed_environment_has_nothing_and_may_be_released_into_again",
            "test_a_retired_release_is_gone",
            "test_a_stage_that_is_given_up_does_not_wait_for_health",
            "test_a_withdrawn_release_leaves_everything_as_it_was",
            "test_each_instance_of_a_service_is_asked",
            "test_each_instance_of_a_service_may_use_what_is_said_and_without_a_word_all_there_is",
            "test_the_first_release_can_be_withdrawn_too",
            "test_traffic_moves_in_steps",
            "test_what_a_settled_release_replaced_stands_ready_without_traffic",
            "test_with_all_traffic_a_release_answers_users_and_who_asks_it_alone",
            "test_what_is_kept_is_retired_or_makes_room_for_the_next",
        }
    )

    def serve_something_else(self, live, release):
        [answer] = live.target(0).ask("/stray", release, "web")
        assert answer.status == 200

    def what_instances_may_use(self, live, release):
        found = list_instances(connect(), live.target(0).names)
        given = [one.container.attrs["HostConfig"] for one in found if one.release == release]
        return [(one["NanoCpus"] / 1e9 or None, one["Memory"] or None) for one in given]

    def test_each_instance_of_a_service_is_asked(self, app, live, release):
        super().test_each_instance_of_a_service_is_asked(app, live, release)

        answers = live.target(2).ask("/healthz", release(2), "web")

        assert {answer.headers["x-headway-instance"] for answer in answers} == {"green-1", "green-2", "green-3"}


def put_live(app, target, release, sequence=1):
    return TargetContract().put_live(app, target, release, sequence)


def things_of(settings):
    label = {"label": f"{LABEL_APP}={settings.app}"}
    client = connect()
    return {
        x.name
        for x in [
            *client.containers.list(all=True, filters=label, ignore_removed=True),
            *client.networks.list(filters=label),
        ]
    }


def test_no_request_fails_while_a_release_is_replaced_under_load(app, target, release):
    put_live(app, target, release(1))
    url = target(1).observe().url
    second = release(2)

    with load_on(url, path="/", post=False) as counts:
        target(2).stage(app, second)
        for percent in (10, 50, 100):
            target(2).shift(second, percent)
            seen = target(2).watch(second, WATCH, 0.5)
            assert seen.verdict == "healthy", seen.reason
        target(2).retire(second)

    assert counts.failures == []
    assert counts.requests > 200
    assert httpx.get(url).text == "2"


def test_a_withdrawn_release_leaves_no_container_and_no_network(app, live, release):
    before = things_of(live.settings)
    crashing = release(2, kind="crashing")

    with pytest.raises(ReleaseUnhealthy, match="out of luck"):
        live.target(2).stage(app, crashing)
    live.target(2).withdraw(crashing)

    assert things_of(live.settings) == before


def test_a_change_that_sleeps_after_it_passed_the_fence_learns_that_its_lease_is_over(live, app, release, monkeypatch):
    second, sleeper = release(2), live.target(2)
    sleeper.stage(app, second)
    pass_the_fence = sleeper._router

    def sleep_meanwhile():
        router = pass_the_fence()
        live.target(3).withdraw(second)
        return router

    monkeypatch.setattr(sleeper, "_router", sleep_meanwhile)

    with pytest.raises(Rejected, match=r"lease \d+ already"):
        sleeper.shift(second, 50)


@pytest.mark.long
def test_requests_in_flight_are_answered_by_the_release_they_reached(app, target, release):
    put_live(app, target, release(1))
    url, answers = target(1).observe().url, []
    slow = threading.Thread(target=lambda: answers.append(httpx.get(f"{url}/slow", timeout=10)))
    second = release(2)
    target(2).stage(app, second)

    slow.start()
    while not any(one.sessions for one in target(2)._router().stat()):
        time.sleep(0.01)
    target(2).shift(second, 100)
    target(2).retire(second)
    slow.join()

    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "1")]


@pytest.mark.long
def test_back_to_a_kept_release_nothing_starts(app, target, settings, release):
    first, second = release(1), release(2)
    put_live(app, target, first)
    TargetContract().keep(app, target, second, 2)
    label = {"label": f"{LABEL_APP}={settings.app}"}
    before = {found.id for found in connect().containers.list(all=True, filters=label)}

    with load_on(target(2).observe().url, path="/", post=False) as counts:
        TargetContract().keep(app, target, first, 3)

    assert counts.failures == []
    assert {found.id for found in connect().containers.list(all=True, filters=label)} == before
    assert httpx.get(target(3).observe().url).text == "1"


def test_no_get_is_lost_when_all_instances_of_a_release_end_at_the_same_moment(app, live, release):
    second, host = release(2), live.target(2)
    slot = host.stage(several(app), second)
    host.guard(second)
    url = host.shift(second, 100).url

    with load_on(url, path="/", post=False) as counts, ThreadPoolExecutor(3) as pool:
        assert until(lambda: counts.requests > 20, seconds=60, every=0.01)
        list(pool.map(lambda one: connect().containers.get(one.name).kill(), slot.instances))
        assert until(lambda: host.fallback, seconds=60, every=0.01)
        asked = counts.requests
        assert until(lambda: counts.requests > asked + 50, seconds=60, every=0.01)

    assert counts.failures == []
    assert httpx.get(url).text == "1"


def test_a_container_that_dies_ends_the_watch_at_once(app, live, release):
    first, second = live.first, release(2)
    live.target(2).stage(app, second)
    live.target(2).shift(second, 50)
    slot = live.target(2).observe().slot_of(second)
    connect().containers.get(slot.instances[0].name).kill()

    seen = live.target(2).watch(second, WATCH, 60)

    assert seen.verdict == "unhealthy"
    assert seen.seconds < 30
    assert live.target(2).withdraw(second).live.release == first


@pytest.mark.long
def test_a_watch_while_the_router_hangs_is_inconclusive_and_says_so(app, live, release):
    second, host, seen = release(2), live.target(2), []
    host.stage(app, second)
    host.shift(second, 50)
    window = WATCH.model_copy(update={"longer_seconds": 0})
    watch = threading.Thread(target=lambda: seen.append(host.watch(second, window, 1)))
    watch.start()
    while not any(thread.name == "answers" for thread in threading.enumerate()):
        time.sleep(0.01)
    router = host._router().container

    router.exec_run(["sh", "-c", "kill -STOP -1"])
    watch.join(60)
    router.exec_run(["sh", "-c", "kill -CONT -1"])

    assert [one.verdict for one in seen] == ["inconclusive"]
    assert seen[0].reason.startswith("the counters could not be read: the router does not answer")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_whose_reader_of_answers_dies_is_inconclusive_and_says_so(app, live, release, monkeypatch):
    second, host, parse = release(2), live.target(2), haproxy_runtime.parse_answers

    def parse_or_die(text):
        if threading.current_thread().name == "answers":
            raise KeyError("a line that nobody knows")
        return parse(text)

    monkeypatch.setattr(haproxy_runtime, "parse_answers", parse_or_die)
    host.stage(app, second)
    url = host.shift(second, 50).url
    with load_on(url, path="/", post=False):
        seen = host.watch(second, WATCH.model_copy(update={"longer_seconds": 0}), 1)

    why = "the counters could not be read: what users are answered is read no longer: its reader died"
    assert (seen.verdict, seen.reason) == ("inconclusive", why)


@pytest.mark.long
def test_a_watch_ends_when_its_release_is_withdrawn_meanwhile(app, live, release):
    first, second = live.first, release(2)
    host, seen = live.target(2), []
    host.stage(app, second)
    host.guard(second)
    host.shift(second, 100)
    watch = threading.Thread(target=lambda: seen.append(host.watch(second, WATCH, 600)))
    watch.start()
    while not any(thread.name == "answers" for thread in threading.enumerate()):
        time.sleep(0.01)

    assert host.withdraw(second).live.release == first

    watch.join(30)
    assert [one.reason for one in seen] == ["the release was withdrawn or settled meanwhile"]


@pytest.mark.long
def test_the_old_slot_steps_in_when_every_new_instance_dies_and_nobody_watches(app, live, release):
    second = release(2)
    live.target(2).stage(app, second)
    state = live.target(2).shift(second, 100)
    assert httpx.get(state.url).text == "2"

    connect().containers.get(state.slot_of(second).instances[0].name).kill()
    answers = [httpx.get(state.url) for _ in range(20)]

    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "1")}


@pytest.mark.long
@pytest.mark.parametrize("instances", [1, 2])
def test_an_application_too_busy_for_its_checks_still_answers_its_users(target, release, instances):
    strict = {"path": "/healthz", "timeout_seconds": 0.5, "failures": 2}
    state = put_live(make_app(instances=instances, health=strict, start_seconds=60), target, release(1))
    containers = [connect().containers.get(one.name) for one in state.live.instances]

    with load_on(state.url, path="/", post=False) as counts:
        for container in containers:
            container.pause()
        while any(one.is_up for one in target(1)._router().stat()):
            time.sleep(0.01)
        with ThreadPoolExecutor() as pool:
            asked_when_down = [pool.submit(httpx.get, state.url, timeout=10) for _ in range(8)]
            for container in containers:
                container.unpause()

    assert counts.failures == []
    assert [asked.result().text for asked in asked_when_down] == ["1"] * 8


@pytest.mark.long
def test_what_never_passed_a_check_is_no_last_resort(target, release):
    with pytest.raises(ReleaseUnhealthy):
        target(1).stage(make_app(start_seconds=2), release(1, kind="sick"))

    answer = httpx.get(target(1).observe().url)

    assert answer.status_code == 503
    assert "x-headway-instance" not in answer.headers


@pytest.mark.long
def test_without_a_version_path_the_runtime_tells_the_digest(target, release):
    app, first = make_app(version=None), release(1)

    slot = target(1).stage(app, first)

    assert slot.instances[0].digest == first.images["web"].digest
    assert slot.instances[0].served_digest is None


@pytest.mark.long
def test_several_instances_share_the_traffic_of_their_slot(target, release):
    app = make_app(instances=3, start_seconds=60)
    put_live(app, target, release(1))
    second = release(2)
    target(2).stage(app, second)

    state = target(2).shift(second, 10)

    assert len(state.slot_of(second).instances) == 3
    assert state.slot_of(second).weight == 10


@pytest.mark.long
def test_a_worker_without_a_port_is_released_too(target, release):
    app = App.model_validate(
        {
            **make_app().model_dump(mode="json"),
            "services": {
                "web": {"port": 8000},
                "worker": {"image": "web", "command": ["python3", "-c", "import time; time.sleep(600)"]},
            },
        }
    )

    state = put_live(app, target, release(1))

    assert {instance.service for instance in state.live.instances} == {"web", "worker"}
    assert state.live.healthy


def test_services_get_the_variables_of_service_environment_and_secrets(home, settings, release):
    from pydantic import SecretStr

    app = make_app(env={"COLOUR_OF_THE_SKY": "blue", "OWN": "1"})
    secret = EnvironmentSettings(
        app=settings.app, environment=settings.environment, secrets={"TOKEN": SecretStr("t0p")}
    )
    first = release(1)
    with hosts(app, secret, home) as target:
        target(1).stage(app, first)
        url = target(1).shift(first, 100).url

    env = httpx.get(f"{url}/env").json()

    assert (env["COLOUR_OF_THE_SKY"], env["OWN"], env["TOKEN"]) == ("grey", "1", "t0p")
    assert env["HEADWAY_DIGEST"] == first.images["web"].digest
    assert env["HEADWAY_REVISION"] == first.revision.sha
    labels = connect().containers.get(
        EnvironmentNames(home.identity, settings.app, "production").instance("blue", "web", 1)
    )
    assert "t0p" not in json.dumps(labels.labels)


def test_a_port_that_is_taken_is_named(home, settings, release):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        app = App.model_validate(
            {**make_app().model_dump(mode="json"), "environments": {"production": {"target": {"port": port}}}}
        )
        with hosts(app, settings, home) as target:
            host = target(1)
            with pytest.raises(Misconfigured, match=rf"environments.production.target.port: port {port} is taken"):
                with host.guarded():
                    host.stage(app, release(1))


NOT_READY = {
    "elsewhere": (
        "/healthz",
        r"GET /healthz \(Host: localhost\) answers 404; allowed: 200 to 299 \(services\.web\.hea",
    ),
    "sick": (
        "/healthz",
        r"GET /healthz \(Host: localhost\) answers 503; allowed: 200 to 299 \(services\.web\.health\)",
    ),
    "named": (
        "/healthz",
        r"GET /healthz \(Host: localhost\) answers 400; allowed: 200 to 299 "
        r"\(services\.web\.health; set services\.web\.health\.host to a name the application answers to\)",
    ),
    "failing": (None, r"GET / \(Host: localhost\) answers 500; allowed: anything below 500, for no path is given"),
    "idle": ("/healthz", r"nothing answers on port 8000 of its network address \(services\.web\.port\)"),
    "shy": (None, r"nothing answers on port 8000 of its network address \(services\.web\.port\)"),
}


@pytest.mark.long
def test_a_release_that_is_not_ready_is_told_what_it_answers(settings, home, release):
    first, not_ready = release(1), {kind: release(2, kind=kind) for kind in NOT_READY}

    def stage(kind):
        health, answers = NOT_READY[kind]
        there = EnvironmentSettings(app=settings.app, environment=kind)
        with hosts(make_app(), there, home) as target:
            began = time.monotonic()
            put_live(make_app(start_seconds=60), target, first)
            allowed = 5 + round((time.monotonic() - began) / 2)  # a slow machine needs longer until anything answers
            said = rf"was not healthy within {allowed} s: {answers}.*; the end of its log:"
            with pytest.raises(ReleaseUnhealthy, match=said):
                target(1).stage(make_app(start_seconds=allowed, health=health), not_ready[kind])
            return httpx.get(target(1).observe().url).text

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(stage, NOT_READY)) == ["1"] * len(NOT_READY)


def test_a_port_that_the_image_does_not_expose_is_told_before_anything_starts(app, live, release):
    before = things_of(live.settings)

    with pytest.raises(Misconfigured) as refusal:
        live.target(2).stage(app, release(2, kind="exposing"))

    assert str(refusal.value).startswith(
        "headway.yaml: services.web.port: 8000, which the image does not expose; allowed: 9000/tcp, 9001/udp\n"
        "  next: correct the port, or add EXPOSE 8000"
    )
    assert not any("-green-web-" in name for name in things_of(live.settings) - before)
    assert httpx.get(live.target(2).observe().url).text == "1"


@pytest.mark.long
def test_a_check_beside_the_environment_reaches_the_new_release_alone(app, live, home, release, tmp_path):
    second = release(2)
    live.target(2).stage(app, second)
    script = (
        "import os, urllib.request as u; found = u.urlopen(os.environ['BASE_URL']).read().decode(); print(found); "
        "raise SystemExit(found != '2')"
    )
    names = EnvironmentNames(home.identity, live.settings.app, "production")
    image = own_registry(home).reference(second.images["web"])
    before = things_of(live.settings)

    def check(*more, seconds=60, address=None):
        return run_command(
            DockerJobs(names, home, None, "when-missing"),
            CommandCheck(image=image, command=["python3", "-c", *more], timeout_seconds=seconds),
            "production",
            image=image,
            base_url=address or live.target(2).address(second),
            run="r",
            log=tmp_path / "log.txt",
        )

    assert check(script) == ""
    assert check(script, address=live.target(2).address()) == "ended with exit code 1; its last lines:\n1"
    assert check("import time; time.sleep(60)", seconds=1) == "did not end within 1 s and printed nothing"
    assert things_of(live.settings) == before


def test_only_the_users_entry_is_published(live, home):
    router = connect().containers.get(EnvironmentNames(home.identity, live.settings.app, "production").router)

    assert list(router.attrs["HostConfig"]["PortBindings"]) == ["8080/tcp"]


@pytest.mark.long
def test_questions_to_one_slot_are_not_counted_as_its_traffic(app, target, release):
    put_live(app, target, release(1))
    second = release(2)
    target(2).stage(app, second)

    for _ in range(20):
        target(2).ask("/", second)

    found = {one.server: one.requests for one in target(2)._router().stat()}
    assert found["green-1"] == 0


@pytest.mark.long
def test_environments_pause_and_come_back_with_their_weights(app, target, home, settings, release):
    first, second = release(1), release(2)
    put_live(app, target, first)
    target(2).stage(app, second)
    target(2).shift(second, 50)
    name = f"production of {settings.app}"

    assert name in pause_environments(home)
    assert name not in pause_environments(home)
    assert name in resume_environments(home)
    assert name not in resume_environments(home)

    deadline = time.monotonic() + 10
    while not all(slot.healthy for slot in target(2).observe().slots) and time.monotonic() < deadline:
        time.sleep(0.1)
    state = target(2).observe()
    assert state.slot_of(second).weight == 50
    assert state.sequence == 2
    assert httpx.get(state.url).status_code == 200


@pytest.mark.long
def test_a_purged_environment_is_gone(app, home, settings, release, tmp_path):
    elsewhere = replace(settings, registry=own_registry(home))
    with own_platform(tmp_path / "purged") as other, hosts(app, elsewhere, other) as target:
        put_live(app, target, release(1))

        assert purge_environments(other) == [f"production of {settings.app}"]

        assert things_of(settings) == set()
        assert target(2).observe().live is None


def test_a_short_watch_is_filled_up_with_probes(app, live, release):
    first = live.first

    seen = live.target(2).watch(first, Watch(min_requests=50), 0.2)

    assert seen.verdict == "healthy"
    assert seen.live.requests >= 50
    assert seen.live.latency.total >= 50


@pytest.mark.long
def test_logs_of_several_instances_come_in_the_order_of_their_time_until_nobody_reads(settings, home, release):
    app = make_app(instances=2, start_seconds=60)
    with hosts(app, settings, home) as target:
        put_live(app, target, release(1))

        lines = list(target(1).logs(LogWish(part="web")))
        followed = target(1).logs(LogWish(part="web", follow=True))
        first = [next(followed) for _ in lines]
        followed.close()
        router = list(target(1).logs(LogWish(part="router", tail=1)))

    assert {line.source for line in lines} == {"web-1", "web-2"}
    for seen in (lines, first):  # what they say of connections that end may come at any moment
        assert sorted(line.source for line in seen if line.text == "serving good 1") == ["web-1", "web-2"]
    assert {line.source for line in router} <= {"router"}


@pytest.mark.long
def test_the_password_that_a_database_was_given_is_in_no_log(settings, home, release, monkeypatch):
    app = make_app(start_seconds=60)
    password = SecretStr("serving")  # which is what every instance prints
    monkeypatch.setattr(host_look, "find_database", lambda *_, **__: DatabaseAccess("app", password))
    with hosts(app, settings, home) as target:
        put_live(app, target, release(1))
        host = target(1)
        host.app = app.model_copy(update={"database": ContainerDatabase()})
        line, *_ = host.logs(LogWish(part="web"))

    assert line.text == "*** good 1"


def lasting_app(script=lasting.SERVER, **service):
    return make_app(**({"command": ["python3", "-c", script], "health": "/", "version": None} | service))


def test_streams_uploads_and_websockets_outlive_a_release_for_as_long_as_was_promised(target, release):
    app, second = lasting_app(drain_seconds=300, request_seconds=60), release(2)
    url = put_live(app, target, release(1)).url
    with (
        closing(lasting.Connection(url, "GET /socket", lasting.HANDSHAKE)) as web_socket,
        closing(lasting.Connection(url, "GET /stream")) as stream,
        closing(lasting.Connection(url, "POST /upload", "Content-Length: 10\r\n")) as upload,
        ThreadPoolExecutor() as pool,
    ):
        assert b" 101 " in web_socket.until(b"\r\n\r\n")
        assert b" 200 " in stream.until(b"tick")
        upload.send(b"12345")
        target(2).stage(lasting_app(drain_seconds=1), second)
        target(2).shift(second, 100)
        host = target(2)
        retiring = pool.submit(host.retire, second)
        with closing(host._router().workers()) as workers:
            while sum(one.sessions for one in workers.stat() if one.colour == "blue") < 3:
                time.sleep(0.05)

        assert not retiring.done()
        web_socket.send(b"still there?")
        assert web_socket.until(b"?") == b"still there?"
        upload.send(b"67890")
        assert upload.until(b"\r\n\r\n10").endswith(b"10")
        web_socket.send(b"finish")
        assert stream.until(b"0\r\n\r\n").endswith(b"4\r\ndone\r\n0\r\n\r\n")
        web_socket.close()
        retiring.result(60)

    assert host.ended == ()
    assert host.observe().live.release == second

    with closing(lasting.Connection(url, "GET /socket", lasting.HANDSHAKE)) as web_socket:
        assert b" 101 " in web_socket.until(b"\r\n\r\n")
        third, host = release(1), target(3)
        host.stage(lasting_app(), third)
        host.shift(third, 100)
        host.retire(third)
        web_socket.until(b"never said")

    [cut] = host.ended
    assert cut.describe() == (
        "1 connection of web was still open after 1 s (services.web.drain_seconds) and ended with the old slot"
    )


def test_a_server_that_closes_without_saying_so_loses_no_post_and_what_hangs_is_asked_once(target, release):
    first = release(1)
    url = put_live(lasting_app(request_seconds=1), target, first).url
    router = target(1)._router()

    with closing(RouterMetrics(router)) as metrics, httpx.Client(base_url=url, timeout=30) as kept:
        while not metrics.read()["blue"].requests:  # the router tells of what comes from some moment on
            kept.get("/")
        posts = [kept.post("/pay", content=b"12345").text for _ in range(100)]
        hanging = [kept.get("/hang?token=secret").status_code, kept.post("/hang").status_code]
        asked = kept.get("/hung").text
        deadline = time.monotonic() + 10
        while len((seen := metrics.read()["blue"]).what_failed) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)

    assert posts == ["5"] * 100
    assert (hanging, asked) == ([504, 504], "2")
    assert (seen.errors, seen.hidden) == (2, 0)
    assert seen.what_failed == {"GET /hang 504": 1, "POST /hang 504": 1}


@pytest.mark.long
def test_a_connection_that_was_idle_during_a_whole_release_ends_before_a_request_is_lost_on_it(app, target, release):
    second = release(2)
    url = put_live(app, target, release(1)).url
    with closing(lasting.Connection(url, "GET /")) as idle:
        assert idle.until(b"\r\n\r\n1").endswith(b"1")
        target(2).stage(app, second)
        target(2).shift(second, 100)
        target(2).retire(second)

        assert idle.until(b"anything") == b""


@pytest.mark.long
def test_a_server_that_takes_few_connections_at_a_time_answers_all_of_its_users(target, release):
    url = put_live(lasting_app(lasting.ONE_AT_A_TIME), target, release(1)).url

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: httpx.get(url, timeout=60).status_code, range(200)))

    assert answers == [200] * 200

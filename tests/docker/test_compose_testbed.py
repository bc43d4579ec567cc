"""A user's Compose file as the environment of a cell, on a real engine."""

import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from delivery.changes.ledger import LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.cells import compose_testbed
from delivery.docker.cells.testbed import run_cell
from delivery.docker.engine.client import connect
from delivery.docker.engine.sweep import find_orphans, remove_labelled, remove_run
from delivery.docker.images.bases import resolve_base
from delivery.errors import Interrupted, Misconfigured
from delivery.home import Home
from delivery.spec.app import App
from delivery.spec.matrix import expand

pytestmark = pytest.mark.docker
ROOT = Path(__file__).resolve().parents[2]
BUSYBOX = "busybox:1.36"
ENDLESS = {"image": BUSYBOX, "command": ["sleep", "600"], "init": True}
WRITES_A_REPORT = 'echo \'<testsuite name="s" tests="1"><testcase name="t"/></testsuite>\' > /reports/a.xml'
WAIT_SECONDS = 60
DRIVER = """
import sys
from pathlib import Path
sys.path.append(sys.argv[1])
from delivery.home import Home
from tests.docker.test_compose_testbed import run_all
home, source, folder = map(Path, sys.argv[2:])
run_all(Home(home), source, folder)
"""


@pytest.fixture
def home(tmp_path):
    """A platform of its own that shares the base images' cache, and must be empty at the end."""
    home = Home(tmp_path / "home")
    home.root.mkdir()
    home.cache.symlink_to(Home.current().cache, target_is_directory=True)
    yield home
    leftovers = things_of(home)
    remove_labelled(connect(), {LABEL_PLATFORM: home.identity})
    assert leftovers == []
    assert list(home.root.glob("work/**/compose-*")) == []


@pytest.fixture
def source(tmp_path):
    """The checked-out sources."""
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


@pytest.fixture
def run(home, source, tmp_path):
    """Run a cell of a suite whose Compose file has these services."""

    def run_cell_of(services, *, rest=None, **more):
        (source / "compose.yaml").write_text(yaml.safe_dump({"services": services, **(rest or {})}))
        return run_all(home, source, tmp_path, **more)

    return run_cell_of


def run_all(home, source, folder, *, cell=0, run_id="run-1", images=None, give=None, **suite):
    described = {"compose": "compose.yaml", "compose_service": "tests", **suite}
    content = {"app": "shop", "images": {"api": {}}, "suites": {"all": described}, "environments": {"live": {}}}
    app = App.model_validate(content)
    cell = expand(app)[cell]
    place = {"log": folder / cell.slug / "log.txt", "report_dir": folder / cell.slug / "junit", "source": source}
    return run_cell(app, cell, images or {}, home=home, run_id=run_id, secrets=give, **place)


def suite(script, **more):
    return {"image": BUSYBOX, "command": ["sh", "-c", script.replace("$", "$$")], **more}


def things_of(home):
    client, filters = connect(), {"label": f"{LABEL_PLATFORM}={home.identity}"}
    containers = client.containers.list(all=True, filters=filters, ignore_removed=True)
    found = [*containers, *client.networks.list(filters=filters), *client.volumes.list(filters=filters)]
    images = client.images.list(f"headway-{home.identity}-build")
    return [thing.name for thing in found] + [tag for image in images for tag in image.tags]


def running(home):
    filters = {"label": f"{LABEL_PLATFORM}={home.identity}"}
    found = connect().containers.list(filters=filters, ignore_removed=True)
    return {container.labels[LABEL_ROLE] for container in found}


def wait_for(condition):
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS} s"
        time.sleep(0.1)


def everything():
    """A database, a migration, a server, a suite that needs both, and two that nobody asked for."""
    postgres = {"image": "postgres:15-alpine", "environment": {"POSTGRES_PASSWORD": "p", "PGPASSWORD": "p"}}
    serves = "mkdir w && echo for ${NODE} >w/index.html && exec httpd -f -p 8080 -h w"
    return {
        "db": {
            **postgres,
            "volumes": ["kept:/kept"],
            "healthcheck": {"test": "pg_isready -q -h 127.0.0.1 -U postgres", "interval": "0.3s", "retries": 60},
        },
        "migrate": {
            **postgres,
            "command": ["psql", "-q", "-h", "db", "-U", "postgres", "-c", "create table task (id int)"],
            "depends_on": {"db": {"condition": "service_healthy"}},
        },
        "web": {"image": BUSYBOX, "command": ["sh", "-c", serves], "healthcheck": {"test": "wget -q -O - :8080"}},
        "tests": {
            "image": BUSYBOX,
            "profiles": ["test"],
            "env_file": "own.env",
            "volumes": ["./data:/data:ro", "./:/scratch"],
            "depends_on": {
                "migrate": {"condition": "service_completed_successfully"},
                "web": {"condition": "service_started"},
            },
        },
        "other": {"image": "nowhere.invalid/never:1", "profiles": ["other"]},
        "report": {"image": "nowhere.invalid/never:1", "depends_on": ["tests"]},
    }


def test_the_suite_meets_what_it_depends_on_and_its_report_is_read(run, source):
    (source / "data").mkdir()
    (source / "data" / "greeting").write_text("hello")
    (source / "own.env").write_text("FROM_FILE=yes\n")
    script = f"""set -e
    test "$NODE $FROM_FILE $OWN" = "22 yes mine"
    test "$(cat /data/greeting)" = hello; ! touch /data/x 2>/dev/null; touch /scratch/made
    test "$(wget -q -O - http://web:8080/index.html)" = "for 22"
    echo all is well; {WRITES_A_REPORT}"""

    result = run(
        everything(),
        rest={"volumes": {"kept": {"name": "fixed"}}},
        command=["sh", "-c", script],
        axes={"node": ["22"]},
        env={"OWN": "mine"},
        junit="/reports/*.xml",
    )

    assert (result.outcome, result.tests, result.junit) == ("passed", 1, ("a.xml",)), result
    assert result.last_lines == "all is well"
    assert "ready to accept connections" in Path(result.log).with_name("log-db.txt").read_text()
    assert sorted(path.name for path in source.iterdir()) == ["compose.yaml", "data", "own.env"]


SPOKEN = '🚀 ä漢字 two\nlines "it\'s" $5 # no comment'
TOLD = "printf %s $TEXT | base64 -w 0; echo; printf %s $AXIS | base64 -w 0; echo; printf %s $OF_FILE | base64 -w 0"


def encoded(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_emoji_and_quotes_arrive_in_a_suite_as_they_are(run, monkeypatch, locale):
    monkeypatch.setenv("LC_ALL", locale)
    told = TOLD.replace("$TEXT", '"$TEXT"').replace("$AXIS", '"$AXIS"').replace("$OF_FILE", '"$OF_FILE"')
    services = {"tests": suite(told, environment={"OF_FILE": "file: ${SAID}"})}

    result = run(services, axes={"said": [SPOKEN]}, env={"TEXT": SPOKEN, "AXIS": "axis: ${said}"})

    expected = [encoded(SPOKEN), encoded(f"axis: {SPOKEN}"), encoded(f"file: {SPOKEN}")]
    assert (result.outcome, result.last_lines.splitlines()) == ("passed", expected), result


def test_emoji_arrive_in_the_build_of_a_compose_file_as_they_are(run, source):
    (source / "Dockerfile").write_text(f'FROM {BUSYBOX}\nARG TEXT\nRUN printf %s "$TEXT" | base64 -w 0 >/told\n')
    built = {"build": {"context": ".", "args": {"TEXT": "${SAID}"}}, "command": ["cat", "/told"]}

    result = run({"tests": built}, axes={"said": [SPOKEN]})

    assert (result.outcome, result.last_lines) == ("passed", encoded(SPOKEN)), result


@pytest.mark.long
def test_a_failing_suite_shows_its_last_lines(run):
    result = run({"tests": suite("echo expected $((1 + 1)), found 3; exit 4", restart="always")})

    assert (result.outcome, result.exit_code, result.last_lines) == ("failed", 4, "expected 2, found 3")


def test_what_a_service_prints_is_kept_whatever_the_file_says_of_its_log(run):
    prints = "line=$(printf %0999d 7); i=0; while [ $i -lt 25000 ]; do echo $line; i=$((i+1)); done"
    nowhere = {"driver": "none"}

    result = run({"tests": suite(prints, logging=nowhere), "db": suite("echo I am here", logging=nowhere)})

    assert (result.outcome, Path(result.log).stat().st_size) == ("passed", 25_000_000)
    assert Path(result.log).with_name("log-db.txt").read_text() == "I am here\n"


def test_a_secret_of_the_suite_reaches_its_service_and_nothing_that_is_kept(run, tmp_path):
    tells = suite("echo $TOKEN | wc -c; echo $TOKEN; env | grep OWN", environment={"OWN": "of the file"})

    result = run({"tests": tells}, give={"TOKEN": SecretStr("canary-5d1f")}, secrets={"TOKEN": "shop-token"})

    assert (result.outcome, result.last_lines) == ("passed", "12\n***\nOWN=of the file")
    assert "canary" not in Path(result.log).read_text()


@pytest.mark.long
def test_a_suite_without_a_report_is_no_pass(run):
    assert run({"tests": suite("exit 0")}, junit="/reports/*.xml").outcome == "no-tests"


def test_a_suite_that_takes_too_long_is_ended(run):
    result = run({"tests": suite("echo started; exec sleep 600")}, timeout_seconds=1)

    assert (result.outcome, result.exit_code, result.last_lines) == ("timed-out", None, "started")


@pytest.mark.parametrize(
    ("db", "condition", "said"),
    [
        (
            {**ENDLESS, "healthcheck": {"test": "echo no such table; exit 1", "interval": "0.2s", "retries": 2}},
            "service_healthy",
            "did not become healthy: no such table",
        ),
        (suite("echo no such table; exit 3"), "service_completed_successfully", "stopped with exit code 3"),
        (suite("echo no such table; exit 3"), "service_healthy", "stopped with exit code 3"),
    ],
    ids=["never healthy", "does not complete", "stops"],
)
def test_a_service_that_does_not_come_up_is_told(run, db, condition, said):
    result = run({"db": db, "tests": suite("true", depends_on={"db": {"condition": condition}})})

    assert (result.outcome, result.problem) == ("error", f"headway.yaml: suites.all.compose: service db {said}")
    assert "no such table" in result.problem + result.last_lines


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"Running": True}, ""),
        ({"Running": True, "Health": {"Status": "healthy"}}, ""),
        ({"Running": True, "Health": {"Status": "none"}}, ""),
        ({"Running": True, "Health": {"Status": "starting"}}, "did not become healthy"),
        ({"Running": False, "ExitCode": 0}, ""),
        ({"Running": True, "Restarting": True, "ExitCode": 2}, "stopped with exit code 2"),
    ],
)
def test_what_is_wrong_with_a_service_is_read_from_its_state(state, said):
    assert compose_testbed.trouble_of(state) == said


@pytest.mark.long
def test_an_environment_that_takes_too_long_is_told(run, monkeypatch):
    monkeypatch.setattr(compose_testbed, "UP_SECONDS", 1)
    never = {**ENDLESS, "healthcheck": {"test": "exit 1", "interval": "1s", "start_period": "600s"}}

    services = {"db": never, "tests": suite("true", depends_on={"db": {"condition": "service_healthy"}})}
    result = run(services, timeout_seconds=1)

    assert result.outcome == "error"
    assert "service db did not become healthy" in result.problem


def test_cells_side_by_side_share_nothing_and_take_no_port(run):
    counts = (
        "for place in kept scratch; do echo x >>/$place/x; wc -l </$place/x; done; wget -q -O - http://web:8080/one"
    )
    serves = suite("echo one >one; exec httpd -f -p 8080", container_name="web")
    rest = {
        "volumes": {"kept": {"external": True}},
        "networks": {"default": {"ipam": {"config": [{"subnet": "10.213.7.0/24"}]}}},
    }
    with socket.create_server(("127.0.0.1", 0)) as taken:
        fixed = {"ports": [f"127.0.0.1:{taken.getsockname()[1]}:8080"]}
        fixed |= {"networks": {"default": {"ipv4_address": "10.213.7.9"}}}
        counting = suite(counts, container_name="tests", volumes=["kept:/kept", "./:/scratch"], depends_on=["web"])

        with ThreadPoolExecutor(2) as pool:
            one = {"web": serves | fixed, "tests": counting}
            results = list(pool.map(lambda cell: run(one, rest=rest, cell=cell, shards=2), range(2)))

    assert [(result.outcome, result.last_lines) for result in results] == [("passed", "1\n1\none")] * 2, results


def test_what_was_delivered_is_not_built_again_and_the_rest_is(run, source):
    delivered = resolve_base(BUSYBOX, home=Home.current()).used
    (source / "suite").mkdir()
    (source / "suite" / "Dockerfile").write_text(
        f'FROM {BUSYBOX}\nRUN echo "built $((40 + 2))" >/what\nCMD ["cat", "/what"]\n'
    )
    services = {
        "api": {"build": ".", "command": ["sleep", "600"]},
        "worker": {"build": ".", "image": "nowhere.invalid/api:1", "command": ["sleep", "600"]},
        "queue": {"image": "nowhere.invalid/api:1", "command": ["sleep", "600"]},
        "tests": {"build": "./suite", "image": "fixed-name", "depends_on": ["api", "worker", "queue"]},
    }

    result = run(services, images={"api": delivered})

    assert (result.outcome, result.last_lines) == ("passed", "built 42"), result


@pytest.mark.long
def test_what_is_built_beside_the_suite_trusts_the_machines_authority(run, source, authority):
    (source / "Dockerfile").write_text(
        f"FROM {BUSYBOX}\nARG X\nRUN grep -c BEGIN $SSL_CERT_FILE >/count && ls /dev/headway >/files\n"
    )
    check = f"test $(cat /count) -gt 100 && grep truststore.p12 /files && {WRITES_A_REPORT}"

    result = run({"tests": {"build": {"context": "."}, "command": ["sh", "-c", check]}})

    assert (result.outcome, result.problem) == ("passed", "")


@pytest.mark.long
def test_a_cache_that_ends_the_engine_is_not_built_although_the_file_asks_for_it(run, source):
    (source / "Dockerfile").write_text(
        f"FROM {BUSYBOX}\nARG BUILDKIT_INLINE_CACHE\nRUN echo $BUILDKIT_INLINE_CACHE >/asked\n"
    )
    build = {"context": ".", "args": {"BUILDKIT_INLINE_CACHE": "1"}, "cache_to": ["type=inline"]}
    command = ["sh", "-c", f"test -z $(cat /asked) && {WRITES_A_REPORT}"]

    result = run({"tests": {"build": build, "command": command}})

    assert (result.outcome, result.problem) == ("passed", "")


def test_a_build_that_fails_is_told_with_its_last_lines(run, source):
    (source / "Other").write_text(f"FROM {BUSYBOX}\nRUN echo no such module >&2; exit 7\n")

    result = run({"tests": {"build": {"context": ".", "dockerfile": "Other"}}})

    assert result.outcome == "error"
    assert result.problem.startswith("headway.yaml: suites.all.compose: the build failed in step")
    assert "no such module" in result.last_lines


def test_a_file_that_is_not_valid_is_told_in_the_words_of_compose(run):
    result = run({"tests": {"imag": BUSYBOX}})

    assert result.outcome == "error"
    assert result.problem == "headway.yaml: suites.all.compose: Compose does not take compose.yaml"
    assert "additional properties 'imag' not allowed" in result.last_lines


def test_an_image_that_cannot_be_had_is_told(run):
    result = run({"tests": suite("true"), "db": {"image": "nowhere.invalid/never:1"}})

    assert result.outcome == "error"
    assert "nowhere.invalid/never:1: not on the Docker engine" in result.problem


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ({"api": ENDLESS}, "compose_service: there is no service tests in compose.yaml; allowed: api"),
        ({"tests": {**ENDLESS, "network_mode": "host"}}, "compose: service tests has network_mode host"),
        ({"tests": {**ENDLESS, "volumes": ["./a:/a:ro"]}}, "compose: tests mounts files of the repository, which the"),
    ],
    ids=["no such service", "the machine's network", "files on another machine"],
)
def test_what_can_never_work_is_misconfigured(run, monkeypatch, services, said):
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere.invalid:2376")

    with pytest.raises(Misconfigured, match=f"^headway.yaml: suites.all.{said}"):
        run(services)


def test_a_run_that_is_stopped_ends_its_cells(run, home):
    run_id = secrets.token_hex(4)
    with ThreadPoolExecutor(1) as pool:
        cell = pool.submit(run, {"tests": ENDLESS, "db": ENDLESS}, run_id=run_id)
        wait_for(lambda: running(home) == {"tests", "db"} or cell.done())

        remove_run(home.identity, run_id)

        with pytest.raises(Interrupted):
            cell.result(timeout=WAIT_SECONDS)


def test_a_killed_driver_leaves_nothing_whatever_lies_in_its_folder(home, source, tmp_path):
    suite = {**ENDLESS, "volumes": ["/anonymous", "kept:/kept"]}
    (source / "compose.yaml").write_text(yaml.safe_dump({"services": {"tests": suite}, "volumes": {"kept": {}}}))
    strange = tmp_path / "shop"
    (strange / "delivery").mkdir(parents=True)
    (strange / "delivery" / "__init__.py").write_text("raise SystemExit('the shop delivers by itself')\n")
    argv = [sys.executable, "-P", "-c", DRIVER, str(ROOT), str(home.root), str(source), str(tmp_path)]
    driver = subprocess.Popen(argv, cwd=strange)
    try:
        wait_for(lambda: running(home) == {"tests"} or driver.poll() is not None)
        (container,) = connect().containers.list(filters={"label": f"{LABEL_PLATFORM}={home.identity}"})
        volumes = {mount["Name"] for mount in container.attrs["Mounts"]}
        orphans = find_orphans(home.identity, living=(), older_than=timedelta(hours=-1))
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()

    assert len(volumes) == 2
    assert {(one.kind, one.role) for one in orphans} == {
        ("container", "tests"),
        ("network", "network"),
        ("volume", "volume"),
    }
    wait_for(lambda: things_of(home) == [])
    wait_for(lambda: not volumes & {volume.name for volume in connect().volumes.list()})


def test_a_variable_of_the_worker_fills_no_placeholder(run, monkeypatch):
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "headway:planted-key")
    command = ["sh", "-c", f'echo "got ${{PREFECT_API_AUTH_STRING:-nothing}}"; {WRITES_A_REPORT}']

    result = run({"tests": {"image": BUSYBOX, "command": command}})

    assert "got nothing" in Path(result.log).read_text()


def test_a_hostile_file_is_refused_before_anything_runs(run):
    socket_ = {"image": BUSYBOX, "volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}

    with pytest.raises(Misconfigured) as refused:
        run({"tests": {"image": BUSYBOX, "privileged": True}, "helper": socket_})

    assert "service tests: privileged: True" in str(refused.value)
    assert "service helper: volumes: /var/run/docker.sock, which is outside of the repository" in str(refused.value)

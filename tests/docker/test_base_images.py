"""Each stand-in keeps the contract of the image whose place it takes."""

import json
import time

import pytest

from delivery.docker.engine.client import connect
from delivery.docker.engine.packing import packed
from delivery.docker.images.apt_sources import image_sources
from delivery.docker.images.base_build import apt_alone
from delivery.docker.images.bases import resolve_base
from delivery.home import Home

docker = pytest.mark.docker
HOME = Home.current()  # with the downloads of earlier runs


CONTRACTS = [
    ("node:22-alpine", "node", ["-e", "console.log(process.version, process.getuid())"], "v22.20.0 1000"),
    ("node:22-alpine", None, ["npm", "--version"], "10."),
    ("python:3.11-slim", None, ["python", "-c", "import ssl, sqlite3; print('ok')"], "ok"),
    ("python:3.11-slim", None, ["sh", "-c", "python -m venv /v && /v/bin/pip list"], "pip "),
    ("python:3.11-slim", None, ["pip", "download", "--no-index", "nothing"], "No matching distribution"),
    ("haproxy:2.6-alpine", None, ["sh", "-c", "flock --version && haproxy -v && command -v nc"], "2.6.12"),
    ("registry:2", None, ["--version"], "2.8.2"),
    ("aquasec/trivy:0.76.0", None, ["--version"], "Version: 0.76.0"),
    ("debian:bookworm-slim", None, ["sh", "-c", "dpkg --audit && useradd eve && su eve -c whoami"], "eve"),
    ("alpine:3.20", None, ["cat", "/etc/os-release"], "Debian"),
    (
        "python:3.11-slim",
        None,
        ["sh", "-c", "python3-config --includes; ls /usr/local/include/python3.11/Python.h"],
        "-I/usr/local/include/python3.11 -I/usr/local/include/python3.11\n/usr/local/include/python3.11/Python.h",
    ),
    (
        "python:3.11-slim",
        None,
        ["python", "-c", "import setuptools.build_meta as b; print(b.__name__)"],
        "build_meta",
    ),
    ("python:3.11-alpine", None, ["python", "-c", "import distutils; print(distutils.__file__)"], "setuptools"),
    ("node:22-slim", "node", ["sh", "-c", "npm --version && cd && pwd && id -u"], "/home/node\n1000"),
    ("ghcr.io/astral-sh/uv:latest", None, ["--version"], "uv 0.13.9"),
]
# The others start from images that nothing else here needs, and making those takes its time.
QUICK = ("node:22-alpine", "haproxy:2.6-alpine", "registry:2")


@docker
@pytest.mark.parametrize(
    ("asked", "user", "command", "said"),
    [pytest.param(*one, marks=[] if one[0] in QUICK else [pytest.mark.long]) for one in CONTRACTS],
)
def test_a_stand_in_keeps_the_contract_of_its_image(asked, user, command, said):
    image = resolve_base(asked, home=HOME).used

    done = connect().containers.create(image, command, user=user, network_mode="none")
    try:
        done.start()
        done.wait()
        assert said in done.logs().decode()
    finally:
        done.remove(force=True, v=True)


@pytest.fixture
def running():
    """Start containers of stand-ins; they are removed at the end."""
    started = []

    def start(asked, files=(), **options):
        image = resolve_base(asked, home=HOME).used
        container = connect().containers.create(image, network_mode="none", **options)
        started.append(container)
        for name, text in dict(files).items():
            container.put_archive("/", packed(name, text.encode(), 0o755))
        container.start()
        return container

    yield start
    for container in started:
        container.remove(force=True, v=True)


def _answers(container, probe, seconds=30):
    deadline = time.monotonic() + seconds
    while (done := container.exec_run(probe)).exit_code != 0 and time.monotonic() < deadline:
        pass
    return done.output.decode()


def _said(container, program, seconds=30):
    """Return what a program printed: the engine loses the output of a short one now and then, when it is busy."""
    deadline = time.monotonic() + seconds
    while not (output := container.exec_run(program).output) and time.monotonic() < deadline:
        pass
    return output.decode()


@docker
@pytest.mark.parametrize(
    ("asked", "command", "said"),
    [
        ("node:22-alpine", ["apk", "add", "git"], "apk: not in this image. It is Headway's stand-in"),
        ("redis:7", ["apt-get", "update"], "apt-get: not in this image. It is Headway's stand-in"),
        ("nginx:alpine", ["sh", "-c", "apk add --no-cache curl"], "`bases:` in headway.yaml"),
    ],
)
def test_a_package_manager_that_a_stand_in_lacks_explains_itself(running, asked, command, said):
    container = running(asked, command=command, entrypoint=[])

    assert container.wait()["StatusCode"] == 127
    assert said in container.logs().decode()


@pytest.mark.long
@docker
def test_apt_get_installs_into_a_stand_in():
    # `ucf` asks through debconf, `tini` is none of Debian's base; both have files that the image leaves out.
    script = (
        "apt-get update -q && apt-get install -q -y --no-install-recommends ucf tini && dpkg --audit && tini --version"
    )
    container = connect().containers.create(resolve_base("debian:bookworm-slim", home=HOME).used, ["sh", "-ec", script])
    try:
        container.start()
        code = container.wait()["StatusCode"]
        log = container.logs().decode()
    finally:
        container.remove(force=True, v=True)

    assert code == 0, log
    assert "Setting up ucf" in log
    assert "tini version" in log


@docker
@pytest.mark.parametrize("asked", ["debian:bookworm-slim", "python:3.11-slim", "node:22-slim"])
def test_every_package_of_a_stand_in_with_apt_is_configured(running, asked):
    states = "dpkg --audit; dpkg-query -W -f '${db:Status-Abbrev}\n' | sort -u"
    script = f"{states}; apt-get check -qq; cat /etc/apt/sources.list.d/*"
    container = running(asked, command=["sh", "-ec", script], entrypoint=[])

    assert container.wait()["StatusCode"] == 0
    with apt_alone(HOME.cache):
        expected = image_sources(HOME.cache)
    assert container.logs().decode() == "ii \n" + expected


@docker
def test_what_one_stage_installed_is_found_where_dockerfiles_copy_it_from(running):
    script = "echo 'x = 42' >/usr/local/lib/python3.11/site-packages/mine.py && python -c 'import mine; print(mine.x)'"
    for asked in ("python:3.11-slim", "python:3.11-alpine"):
        container = running(asked, command=["sh", "-ec", script])
        assert container.wait()["StatusCode"] == 0, container.logs().decode()


@docker
@pytest.mark.parametrize("command", [None, ["redis-server", "--save", ""], ["--appendonly", "yes"]], ids=str)
def test_redis_answers_other_containers_and_does_not_run_as_root(running, command):
    container = running("redis:7-alpine", command=command)

    assert "PONG" in _answers(container, ["redis-cli", "ping"])
    assert _said(container, ["redis-cli", "config", "get", "protected-mode"]).split() == [
        "protected-mode",
        "no",
    ]
    assert _said(container, ["stat", "-c", "%U", "/proc/1"]) == "redis\n"


@docker
def test_memcached_keeps_a_value(running):
    container = running("memcached:1.6-alpine")
    talk = ["sh", "-ec", "printf 'set a 0 0 2\\r\\nhi\\r\\nget a\\r\\nquit\\r\\n' | nc 127.0.0.1 11211"]

    assert "VALUE a 0 2\r\nhi" in _answers(container, talk)


@pytest.mark.long
@docker
def test_postgres_runs_the_scripts_of_its_first_start(running):
    env = {"POSTGRES_USER": "kim", "POSTGRES_PASSWORD": "p", "POSTGRES_DB": "shop"}
    container = running(
        "postgres:15-alpine",
        environment=env,
        files={
            "docker-entrypoint-initdb.d/1.sql": "create table goods (name text);",
            "docker-entrypoint-initdb.d/2.sh": "psql -d shop -c \"insert into goods values ('$POSTGRES_USER')\"",
        },
    )
    _answers(container, ["pg_isready", "-q", "-h", "127.0.0.1"])

    found = _answers(container, ["psql", "-At", "-U", "kim", "shop", "-c", "select name from goods"])

    assert found == "kim\n"


@docker
def test_nginx_fills_in_its_templates_and_runs_its_scripts(running):
    container = running(
        "nginx:alpine",
        environment={"PORT": "8123"},
        files={
            "etc/nginx/templates/other.conf.template": "server { listen ${PORT}; location / { return 200 $uri; } }",
            "docker-entrypoint.d/9.sh": "#!/bin/sh\necho began",
        },
    )

    assert _answers(container, ["wget", "-q", "-O", "-", "http://127.0.0.1:8123/page"]) == "/page"
    assert "began" in container.logs().decode()


@docker
@pytest.mark.parametrize("storage", [{"tmpfs": {"/var/lib/postgresql/data": ""}}, {}], ids=["in memory", "kept"])
def test_postgres_starts_as_the_upstream_image_does(running, storage):
    password = 'it\'s "odd"\\'
    env = {"POSTGRES_USER": "shop-owner", "POSTGRES_PASSWORD": password, "POSTGRES_DB": "shop"}
    container = running("postgres:15-alpine", environment=env, command=["-c", "fsync=off"], **storage)
    _answers(container, ["pg_isready", "-q", "-h", "127.0.0.1"])
    query = ["psql", "-At", "-U", "shop-owner", "shop", "-c"]

    facts = _answers(
        container, [*query, "select current_user, current_setting('fsync'), current_setting('is_superuser')"]
    )
    hashed = _said(container, [*query, "select rolname, rolpassword like 'SCRAM%' from pg_authid where rolcanlogin"])
    rules = _said(container, [*query, "select address, auth_method from pg_hba_file_rules where address = 'all'"])
    owner = _said(container, ["stat", "-c", "%U %a", "/var/lib/postgresql/data"])

    assert facts == "shop-owner|off|on\n"
    assert hashed == "shop-owner|t\n"
    assert rules == "all|scram-sha-256\n"
    assert owner == "postgres 700\n"


@docker
def test_postgres_without_a_password_does_not_start(running):
    container = running("postgres:15-alpine")

    assert container.wait()["StatusCode"] == 1
    assert "set POSTGRES_PASSWORD" in container.logs().decode()


@docker
@pytest.mark.parametrize(
    ("asked", "port", "user"), [("nginx:alpine", 80, "root"), ("nginxinc/nginx-unprivileged:alpine", 8080, "nginx")]
)
def test_nginx_serves_its_folder_and_logs_to_the_container(running, asked, port, user):
    container = running(asked)

    page = _answers(container, ["wget", "-q", "-O", "-", f"http://127.0.0.1:{port}/"])

    assert "nginx answers" in page
    assert _said(container, ["id", "-un"]).strip() == user
    assert '"GET / HTTP/1.1" 200' in container.logs().decode()


@docker
def test_trivy_sees_the_packages_of_a_stand_in(running):
    container = running("aquasec/trivy:0.76.0", command=["rootfs", "--quiet", "--format", "cyclonedx", "/"])
    container.wait()

    bill = json.loads(container.logs(stderr=False))

    assert any(part["type"] == "operating-system" and part["name"] == "debian" for part in bill["components"])
    assert any(part["name"] == "libc6" for part in bill["components"])


@pytest.mark.long
@docker
def test_the_browser_renders_a_page(running):
    container = running(
        "zenika/alpine-chrome:with-node",
        entrypoint=["/usr/bin/chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        command=["--dump-dom", "data:text/html,<script>document.title = 6 * 7</script>"],
    )
    container.wait()

    assert "<title>42</title>" in container.logs(stderr=False).decode()

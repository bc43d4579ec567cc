"""A fork's commit, on a real engine, tries to read what is not its own: it gets nothing, and nothing of it stays."""

import re
from pathlib import Path

import httpx
import pytest

from delivery.changes.ledger import LABEL_PLATFORM
from delivery.docker.engine.client import connect
from delivery.docker.engine.sweep import remove_labelled
from delivery.docker.images.bases import resolve_base
from delivery.docker.images.registry import ensure_registry
from delivery.docker.images.registry_state import registry_key
from delivery.docker.services import DockerBuilder, DockerOrphans, DockerTestbeds, TrivyScanner
from delivery.ports.registry import Registry
from delivery.spec.app import App
from delivery.spec.matrix import expand
from delivery.spec.scan import ScanPolicy
from tests.support.builds import requested
from tests.support.platforms import own_platform

pytestmark = pytest.mark.docker
RUN = "fork-run"
TOKEN = "ghp_" + "0123456789abcdefghijklmnopqrstuvwxyz"
BUSYBOX = "busybox:1.36"
# Each attempt says what it got; a suite, and a step of a build, try the same.
ATTEMPTS = """\
#!/bin/sh
try() {
  what="$1"; shift
  if timeout 2 "$@" >/tmp/got 2>&1 && [ -s /tmp/got ]; then echo "GOT $what: $(head -c 200 /tmp/got)"; fi
}
gateway=$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')
for host in 127.0.0.1 172.17.0.1 $gateway host.docker.internal; do
  try "registry at $host" wget -qO- "http://$host:REGISTRY/v2/_catalog"
done
try "a service of an environment by address" wget -qO- "http://SERVICE:8080/"
try "a service of an environment by name" wget -qO- "http://NAME:8080/"
try "secrets of builds" sh -c 'cat /run/secrets/* 2>/dev/null'
try "the engine's socket" sh -c 'ls /var/run/docker.sock'
try "a canary in the environment" sh -c 'env | grep -i canary'
try "the store" sh -c 'cat STORE/* 2>/dev/null'
echo "tried all"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    with own_platform(tmp_path_factory.mktemp("forks") / "home") as home:
        yield home
        remove_labelled(connect(), {LABEL_PLATFORM: home.identity})


@pytest.fixture
def environment(home):
    """An environment's network with a service that answers whoever reaches it, and a store with a secret of others."""
    client, labels = connect(), {LABEL_PLATFORM: home.identity}
    network = client.networks.create(f"headway-{home.identity}-other-production", labels=labels)
    serves = "mkdir /w && echo canary-of-the-environment > /w/index.html && exec httpd -f -p 8080 -h /w"
    container = client.containers.run(
        resolve_base(BUSYBOX, home=home).used,
        ["sh", "-c", serves],
        name=f"headway-{home.identity}-other-api",
        network=network.name,
        labels=labels,
        detach=True,
    )
    container.reload()
    (home.root / "store").mkdir(exist_ok=True)
    (home.root / "store" / "evidence").write_text("canary-of-the-store")
    yield container
    container.remove(force=True)
    network.remove()


def script(home, environment):
    address = next(iter(environment.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]
    values = {
        "REGISTRY": ensure_registry(home).address.rpartition(":")[2],
        "SERVICE": address,
        "NAME": environment.name,
        "STORE": str(home.root / "store"),
    }
    return re.sub("|".join(values), lambda found: values[found[0]], ATTEMPTS)


def catalogue(home):
    user, _, password = registry_key(home).get_secret_value().partition(":")
    url = f"http://{ensure_registry(home).address}/v2/_catalog"
    return httpx.get(url, auth=(user, password), trust_env=False).json()["repositories"] or []


def test_a_forks_build_and_suite_reach_nothing_of_others_and_leave_nothing(
    home, environment, tmp_path: Path, monkeypatch
):
    monkeypatch.setenv("HEADWAY_CANARY", "canary-of-the-platform")
    source = tmp_path / "source"
    source.mkdir()
    (source / "attempts.sh").write_text(script(home, environment))
    (source / "Dockerfile").write_text(
        f"FROM {BUSYBOX}\nCOPY attempts.sh /attempts.sh\nRUN sh /attempts.sh > /built 2>&1; cat /built\n"
    )
    app = App.model_validate(
        {
            "app": "shop",
            "images": {"web": {}},
            "suites": {"steal": {"image": "web", "command": ["sh", "-c", "cat /built; sh /attempts.sh"]}},
            "environments": {"production": {}},
        }
    )

    built = DockerBuilder(home, Registry.none()).build(requested(source, run=RUN), lambda _: None)
    (cell,) = expand(app)
    log = tmp_path / "log.txt"
    result = DockerTestbeds(home, Registry.none()).run_cell(
        app, cell, {"web": built.ref}, source=source, run=RUN, log=log, report_dir=tmp_path / "junit", secrets={}
    )
    held = [tag for image in connect().images.list(name=f"headway-{home.identity}-held") for tag in image.tags]
    DockerOrphans(home).remove_run(RUN)

    said = log.read_text()
    assert result.outcome == "passed", said
    assert said.count("tried all") == 2
    assert "GOT" not in said
    assert "canary" not in said
    assert catalogue(home) == []
    assert len(held) == 1
    assert connect().images.list(name=f"headway-{home.identity}-held") == []


def test_the_attempts_would_get_something_where_nobody_kept_it_from_them(home, environment):
    """Else the test above would show nothing: beside the service, its answer comes."""
    network = next(iter(environment.attrs["NetworkSettings"]["Networks"]))
    image = resolve_base(BUSYBOX, home=home).used

    said = connect().containers.run(
        image, ["sh", "-c", script(home, environment)], network=network, remove=True, environment={"A": "canary"}
    )

    assert b"GOT a service of an environment by address: canary-of-the-environment" in said
    assert b"GOT a service of an environment by name: canary-of-the-environment" in said
    assert b"GOT a canary in the environment: A=canary" in said


def test_what_is_examined_is_scanned_although_it_is_in_no_registry(home, tmp_path: Path):
    (tmp_path / "Dockerfile").write_text(f"FROM {BUSYBOX}\nRUN echo 'token = {TOKEN}' > /leak\n")
    ref = DockerBuilder(home, Registry.none()).build(requested(tmp_path, run="scanned"), lambda _: None).ref
    scanner = TrivyScanner(home, Registry.none())

    report = scanner.scan("web", ref, ScanPolicy(), "scanned")
    listed = scanner.sbom(ref, "scanned")
    DockerOrphans(home).remove_run("scanned")

    assert (report.image, report.ref) == ("web", ref)
    assert "secret" in {finding.kind for finding in report.findings}
    assert b'"CycloneDX"' in listed
    assert catalogue(home) == []

from pathlib import Path

import pytest
import yaml

from delivery.programs import buildkit
from delivery.programs.buildkit import Builder, BuildOrder

CASES = Path(__file__).parent / "cases" / "buildkit"
DOCKER = Builder(kind="docker", program="/usr/bin/docker", version="20.10.24")
BUILDX = Builder(kind="buildx", program="docker", version="0.17.1")
COMPOSE = Builder(kind="compose", program="/venv/bin/docker-compose", version="2.40.3")
ORDER = BuildOrder(
    context=Path("/source/web"),
    dockerfile=Path("/temporary/Dockerfile"),
    tag="build:1",
    target="web",
    args={"VERSION": "${X} 1"},
    labels={"org.opencontainers.image.revision": "abc"},
    secrets={"ca": Path("/etc/ca.pem")},
)
OPTIONS = [
    *("--progress", "plain", "--tag", "build:1", "--file", "/temporary/Dockerfile", "--target", "web"),
    *("--build-arg", "VERSION=${X} 1", "--label", "org.opencontainers.image.revision=abc"),
    *("--secret", "id=ca,src=/etc/ca.pem", "/source/web"),
]


def test_docker_builds_with_everything_given():
    assert buildkit.docker_argv(DOCKER, ORDER) == ["/usr/bin/docker", "build", *OPTIONS]


def test_buildx_loads_the_image_into_the_engine():
    assert buildkit.docker_argv(BUILDX, ORDER) == ["docker", "buildx", "build", "--load", *OPTIONS]


def test_a_plain_order_has_no_options_it_does_not_need():
    plain = BuildOrder(context=Path("/source"), dockerfile=Path("/source/Dockerfile"), tag="build:1")

    assert buildkit.docker_argv(DOCKER, plain)[2:] == [
        *("--progress", "plain", "--tag", "build:1", "--file", "/source/Dockerfile", "/source")
    ]


def test_compose_builds_the_file_beside_nothing_of_the_users():
    assert buildkit.compose_argv(COMPOSE, Path("/temporary/compose.yaml")) == [
        *("/venv/bin/docker-compose", "--file", "/temporary/compose.yaml", "--project-directory", "/temporary"),
        *("--project-name", "headway", "--progress", "plain", "build"),
    ]


def test_the_compose_file_says_the_same_as_the_options():
    document = yaml.safe_load(buildkit.compose_file(ORDER))

    assert document == {
        "services": {
            "image": {
                "image": "build:1",
                "build": {
                    "context": "/source/web",
                    "dockerfile": "/temporary/Dockerfile",
                    "args": {"VERSION": "$${X} 1"},
                    "labels": {"org.opencontainers.image.revision": "abc"},
                    "secrets": ["ca"],
                    "target": "web",
                },
            }
        },
        "secrets": {"ca": {"file": "/etc/ca.pem"}},
    }


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("Docker version 20.10.24+dfsg1, build 297e128", "20.10.24"),
        ("Docker version 19.03.15, build 99e3ed8", "19.03.15"),
        ("Docker version 17.09.0-ce, build afdb6d4", None),
        ("Docker version 23.0.1, build a5ee5b1", None),
        ("Docker version 28.2.2, build e6534b4", None),
        ("", None),
    ],
)
def test_only_clients_of_some_years_carry_buildkit_themselves(told, version):
    assert buildkit.built_in_version(told) == version


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("Docker Compose version v2.40.3", "2.40.3"),
        ("docker-compose version 1.29.2, build unknown", None),
        ("Docker Compose version v5.6.1", None),
    ],
)
def test_only_compose_2_builds_with_buildkit_alone(told, version):
    assert buildkit.compose_version(told) == version


@pytest.mark.parametrize("client", ["docker-20.10", "compose-2.40"])
def test_the_failing_step_and_its_last_lines_are_found(client):
    step, lines = buildkit.failed_step((CASES / f"{client}-run.txt").read_text())

    assert "2/2] RUN echo one; for i" in step
    assert len(lines) == 15
    assert "line 30" in lines
    assert lines[-1].startswith("ERROR: executor failed running")
    assert "line 3" not in lines


@pytest.mark.parametrize("client", ["docker-20.10", "compose-2.40"])
def test_a_file_that_is_not_there_is_told(client):
    step, lines = buildkit.failed_step((CASES / f"{client}-copy.txt").read_text())

    assert step.endswith("2/2] COPY nothing /x")
    assert lines == ('ERROR: "/nothing" not found: not found',)


@pytest.mark.parametrize("client", ["docker-20.10", "compose-2.40"])
def test_a_dockerfile_that_cannot_be_read_has_no_step(client):
    step, lines = buildkit.failed_step((CASES / f"{client}-unread.txt").read_text())

    assert step == ""
    assert len(lines) == 1
    assert lines[0].endswith("dockerfile parse error line 2: unknown instruction: RUNN")


def test_output_that_ends_in_the_middle_still_shows_its_end():
    assert buildkit.failed_step("#1 [internal] load build defi\nkilled") == ("", ("killed",))
    assert buildkit.failed_step("") == ("", ())


def test_a_full_disk_is_recognised():
    assert buildkit.says_disk_full("#9 ERROR: failed to copy files: write /x: no space left on device")
    assert buildkit.says_disk_full("dd: error writing 'x': No space left on device")
    assert not buildkit.says_disk_full("#9 DONE 0.1s")


def test_what_a_program_does_for_itself_is_no_step():
    progress = buildkit.Progress()

    progress.read("#2 [image internal] load .dockerignore")

    assert progress.step == ""


def test_the_old_builder_tells_its_steps_as_well():
    progress = buildkit.Progress()

    for line in ("Step 1/2 : FROM busybox:1.36", " ---> 2ad5f0c52e8f", "Step 2/2 : RUN make", " ---> Running in 1f2"):
        progress.read(line)

    assert progress.step == "[2/2] RUN make"


def test_no_build_asks_an_engine_for_the_cache_that_ends_it():
    orders = [ORDER, ORDER.model_copy(update={"cache": "127.0.0.1:5000/shop/web:cache"})]

    said = [*(buildkit.docker_argv(builder, order) for builder in (DOCKER, BUILDX) for order in orders)]

    assert "INLINE" not in f"{said} {[buildkit.compose_file(order) for order in orders]}".upper()


def test_a_cache_that_ends_the_engine_is_not_asked_for_by_a_build_argument_either():
    assert buildkit.without_inline_cache({"BUILDKIT_INLINE_CACHE": "1", "VERSION": "2"}) == {"VERSION": "2"}


def test_a_cache_in_the_registry_is_read_and_written():
    cached = ORDER.model_copy(update={"cache": "127.0.0.1:5000/shop/web:cache"})

    argv = buildkit.docker_argv(BUILDX, cached)

    kept = "type=registry,ref=127.0.0.1:5000/shop/web:cache"
    assert argv[argv.index("--cache-from") + 1] == kept
    assert argv[argv.index("--cache-to") + 1] == f"{kept},mode=max,ignore-error=true"


def test_other_images_are_named_beside_the_dockerfile():
    named = ORDER.model_copy(update={"contexts": {"node:22": "headway-base/node:1"}})

    argv = buildkit.docker_argv(BUILDX, named)
    document = yaml.safe_load(buildkit.compose_file(named))

    assert argv[argv.index("--build-context") + 1] == "node:22=docker-image://headway-base/node:1"
    assert document["services"]["image"]["build"]["additional_contexts"] == {
        "node:22": "docker-image://headway-base/node:1"
    }


@pytest.mark.parametrize(
    ("builder", "engine", "can"),
    [
        (BUILDX, "26.1.5+dfsg1", True),
        (COMPOSE, "23.0.0", True),
        (BUILDX, "20.10.24+dfsg1", False),
        (DOCKER, "26.1.5", False),
        (BUILDX, "dev", False),
    ],
)
def test_images_are_replaced_beside_the_dockerfile_where_the_engine_can(builder, engine, can):
    assert buildkit.takes_contexts(builder, engine) is can


def test_a_long_build_tells_the_step_it_is_in():
    progress = buildkit.Progress()
    seen = []

    for line in (CASES / "long.txt").read_text().splitlines():
        progress.read(line)
        if progress.step not in seen:
            seen.append(progress.step)

    assert seen == ["", "[1/3] FROM docker.io/library/node:22", "[2/3] RUN npm ci", "[3/3] RUN npm test"]


@pytest.mark.parametrize(
    "said",
    [
        "npm error Exit handler never called!",
        "npm error code SELF_SIGNED_CERT_IN_CHAIN",
        "  Caused by: invalid peer certificate: UnknownIssuer",
        "curl: (60) SSL certificate problem: unable to get local issuer certificate",
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
        "x509: certificate signed by unknown authority",
        "Certificate verification failed: The certificate is NOT trusted.",
        "sun.security.validator.ValidatorException: PKIX path building failed",
    ],
)
def test_a_certificate_that_is_not_trusted_is_called_by_its_name(said):
    assert buildkit.says_untrusted(f"#5 1.0 {said}\n")
    assert not buildkit.says_untrusted("#5 1.0 added 2 packages\n")

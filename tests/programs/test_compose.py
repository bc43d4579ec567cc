"""Compose command lines, and a user's file as a document of its own for each cell."""

import json
from pathlib import Path

import pytest
import yaml

from delivery.programs import compose
from delivery.programs.compose import Compose
from delivery.spec.images import Image

PLUGIN = Compose(program=("/usr/bin/docker", "compose"), version="2.40.3")
BINARY = Compose(program=("/opt/docker-compose",), version="2.40.3")
SOURCE = Path("/sources/shop")
LOGS = {"max-size": "9m"}
LABELS = {"headway.platform": "abc123", "headway.run": "r1", "headway.role": "cell", "headway.bed": "b1"}
DIGEST = "registry/shop/api@sha256:" + "0" * 64


def document(services, **more):
    return {"name": "source", "services": services, **more}


def bind(source, **more):
    return {"type": "bind", "source": source, "target": "/t", **more}


def test_the_users_file_is_read_with_all_its_profiles():
    assert compose.config_argv(PLUGIN, Path("/sources/shop/compose.yaml")) == [
        *("/usr/bin/docker", "compose", "--file", "/sources/shop/compose.yaml"),
        *("--profile", "*", "config", "--format", "json"),
    ]


@pytest.mark.parametrize(
    ("argv", "end"),
    [
        (compose.build_argv(BINARY, "sandbox-1", SOURCE, ["api", "tests"]), ["plain", "build", "api", "tests"]),
        (compose.create_argv(BINARY, "sandbox-1", SOURCE), ["quiet", "create", "--no-build", "--pull", "never"]),
        (compose.start_argv(BINARY, "sandbox-1", SOURCE), ["quiet", "start"]),
    ],
    ids=["build", "create", "start"],
)
def test_a_document_comes_on_standard_input(argv, end):
    assert argv == [
        *("/opt/docker-compose", "--file", "-", "--project-directory", "/sources/shop"),
        *("--project-name", "sandbox-1", "--progress", *end),
    ]


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("Docker Compose version v2.40.3", "2.40.3"),
        ("Docker Compose version 5.6.1", "5.6.1"),
        ("Docker Compose version v2.17.0", None),
        ("docker-compose version 1.29.2, build unknown", None),
        ("Docker version 28.2.2, build e6534b4", None),
        ("", None),
    ],
)
def test_a_compose_from_2_20_on_is_taken(told, version):
    assert compose.compose_version(told) == version


def test_a_dollar_is_the_same_after_writing_and_reading():
    changed = document({"tests": {"command": ["echo", "$HOME $$"]}})

    assert '"echo", "$$HOME $$$$"' in compose.write_document(changed)
    assert compose.read_document(compose.write_document(changed)) == changed


@pytest.mark.parametrize(
    "text", ["🚀 ready", "ä漢字", "two\nlines", 'say "it\'s" $5 # no comment', "\x7f\x85\u2028\ufeff"]
)
def test_a_text_is_the_same_to_a_reader_of_yaml(text):
    written = compose.write_document(document({"tests": {"environment": {"TEXT": text}}}))

    read = yaml.safe_load(written.replace("$$", "$"))["services"]["tests"]["environment"]["TEXT"]

    assert (read, "\\ud83d" in written) == (text, False)
    assert compose.read_document(written)["services"]["tests"]["environment"]["TEXT"] == text


def test_the_suite_runs_with_what_has_no_profile_or_one_of_its_own():
    services = {
        "db": {},
        "mock": {"profiles": ["test"]},
        "tests": {"profiles": ["test"], "depends_on": {"seed": {"condition": "service_started"}}},
        "seed": {"profiles": ["tools"], "depends_on": {"db": {}}},
        "shell": {"profiles": ["tools"]},
        "report": {"depends_on": {"tests": {"condition": "service_completed_successfully"}}},
        "mail": {"depends_on": {"report": {}}},
    }

    selected = compose.select_services(document(services), "tests")

    assert list(selected["services"]) == ["db", "mock", "tests", "seed"]


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"api": {"image": "postgres:15"}}, {"api": DIGEST}),
        ({"web": {"build": {"context": "/sources/shop/api", "dockerfile": "Dockerfile"}}}, {"web": DIGEST}),
        ({"web": {"build": {"context": "/sources/shop/api", "target": "run"}}}, {"web": DIGEST}),
        ({"web": {"build": {"context": "/sources/shop/api", "target": "test"}}}, {}),
        ({"web": {"build": {"context": "/sources/shop/api", "dockerfile": "Other"}}}, {}),
        ({"web": {"build": {"context": "/sources/shop/api", "dockerfile_inline": "FROM x"}}}, {}),
        ({"web": {"build": {"context": "/sources/shop"}}}, {}),
        ({"db": {"image": "postgres:15"}}, {}),
    ],
    ids=["name", "context", "stage", "another stage", "another file", "no file", "another context", "no build"],
)
def test_a_service_that_is_an_image_of_the_application_gets_its_digest(service, expected):
    images = {"api": Image(context="api", target="run"), "site": Image(context="site")}

    assert compose.delivered_images(document(service), images, {"api": DIGEST}, SOURCE) == expected


def test_two_images_of_one_context_are_told_apart_by_their_stage():
    images = {"run": Image(target="run"), "tools": Image(target="tools")}
    refs = {"run": "run@sha256:1", "tools": "tools@sha256:2"}
    services = {
        "a": {"build": {"context": "/sources/shop", "target": "tools"}},
        "b": {"build": {"context": "/sources/shop"}},
    }

    assert compose.delivered_images(document(services), images, refs, SOURCE) == {"a": "tools@sha256:2"}


def test_what_is_delivered_is_not_built_and_what_is_built_has_a_name_of_its_own():
    services = {
        "api": {"image": "shop/api", "build": {"context": "/sources/shop"}},
        "worker": {"image": "shop/api"},
        "tests": {"image": "shop/tests", "build": {"context": "/sources/shop/tests", "tags": ["shop/tests:1"]}},
        "more": {"image": "shop/tests"},
        "db": {"image": "postgres:15"},
    }

    changed = compose.choose_images(document(services), {"api": DIGEST}, "build:1")

    assert changed["services"] == {
        "api": {"image": DIGEST},
        "worker": {"image": DIGEST},
        "tests": {"image": "build:1-tests", "build": {"context": "/sources/shop/tests"}},
        "more": {"image": "build:1-tests"},
        "db": {"image": "postgres:15"},
    }
    assert compose.to_build(changed) == ["tests"]


def test_in_the_end_nothing_is_left_to_build_or_pull():
    services = {"tests": {"image": "build:1-tests", "build": {"context": "."}}, "db": {"image": "postgres:15"}}

    changed = compose.with_built_images(document(services), {"postgres:15": "base/postgres:1"})

    assert changed["services"] == {"tests": {"image": "build:1-tests"}, "db": {"image": "base/postgres:1"}}


def test_nothing_keeps_a_name_a_port_or_an_address_that_another_cell_may_want():
    service = {
        "image": "postgres:15",
        "container_name": "db",
        "ports": [{"target": 5432, "published": "5432"}],
        "expose": ["5432"],
        "external_links": ["other:other"],
        "pull_policy": "always",
        "profiles": ["test"],
        "logging": {"driver": "syslog"},
        "networks": {"front": {"ipv4_address": "10.9.0.4", "aliases": ["database"]}, "default": None},
    }
    front = {"name": "shared", "external": True, "internal": True, "ipam": {"config": [{"subnet": "10.9.0.0/24"}]}}
    front["driver_opts"] = {"com.docker.network.bridge.name": "br0", "com.docker.network.driver.mtu": "1400"}
    volumes = {"data": {"name": "fixed", "driver_opts": {"type": "tmpfs"}}, "kept": {"name": "k", "external": True}}

    changed = compose.isolate(
        document({"db": service}, networks={"front": front}, volumes=volumes), "sandbox-1", LABELS, LOGS
    )

    assert changed["name"] == "sandbox-1"
    assert changed["services"]["db"] == {
        "image": "postgres:15",
        "expose": ["5432"],
        "networks": {"front": {"aliases": ["database"]}, "default": {}},
        "labels": {**LABELS, "headway.role": "db"},
        "logging": {"driver": "json-file", "options": LOGS},
    }
    assert changed["networks"]["front"] == {
        "name": "sandbox-1_front",
        "internal": True,
        "driver_opts": {"com.docker.network.driver.mtu": "1400"},
        "labels": {**LABELS, "headway.role": "network"},
    }
    assert changed["volumes"] == {
        "data": {
            "name": "sandbox-1_data",
            "driver_opts": {"type": "tmpfs"},
            "labels": {**LABELS, "headway.role": "volume"},
        },
        "kept": {"name": "sandbox-1_kept", "labels": {**LABELS, "headway.role": "volume"}},
    }


def test_own_labels_stay_unless_they_could_be_taken_for_ours():
    service = {"labels": {"team": "shop", "headway.environment": "production", "headway.run": "mine"}}

    changed = compose.isolate(document({"db": service}), "sandbox-1", LABELS, LOGS)

    assert changed["services"]["db"]["labels"] == {"team": "shop", **LABELS, "headway.role": "db"}


def test_the_suite_runs_once_with_command_and_variables_of_headway():
    service = {
        "command": ["old"],
        "environment": {"A": "1", "B": "2"},
        "restart": "always",
        "shm_size": "1024",
        "deploy": {"replicas": 3, "resources": {"limits": {"cpus": "1"}}, "restart_policy": {"condition": "any"}},
    }

    changed = compose.with_suite(document({"tests": service, "db": {}}), "tests", ("run", "all"), {"B": "3"})

    assert changed["services"] == {
        "tests": {
            "init": True,
            "command": ["run", "all"],
            "environment": {"A": "1", "B": "3"},
            "shm_size": "1024",
            "deploy": {"resources": {"limits": {"cpus": "1"}}},
        },
        "db": {},
    }


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"command": ["run"], "entrypoint": ["sh"]}, ["run"]),
        ({"command": None, "entrypoint": ["sh"]}, []),
        ({"command": None, "entrypoint": None}, None),
        ({}, None),
    ],
)
def test_an_entry_point_takes_the_place_of_the_images_command(service, expected):
    assert compose.own_command(service) == expected


def test_what_is_mounted_from_the_sources_is_known():
    services = {
        "reads": {"volumes": [bind("/sources/shop/data", read_only=True)]},
        "writes": {"volumes": [bind("/sources/shop")]},
        "config": {"configs": [{"source": "nginx"}]},
        "secret": {"secrets": [{"source": "token"}]},
        "elsewhere": {"volumes": [bind("/var/run/docker.sock"), bind("/sources/shops")]},
        "volume": {
            "volumes": [{"type": "volume", "source": "data", "target": "/d"}, {"type": "tmpfs", "target": "/x"}]
        },
    }
    files = {
        "configs": {"nginx": {"file": "/sources/shop/nginx.conf"}},
        "secrets": {"token": {"file": "/sources/shop/token"}},
    }

    known = document(services, **files)

    assert compose.bound_from(known, SOURCE) == ["reads", "writes", "config", "secret"]
    assert compose.bound_from(known, SOURCE, written=True) == ["writes"]


def test_mounts_move_to_a_copy_of_the_sources():
    mounts = [bind("/sources/shop/data", read_only=True), bind("/sources/shop"), bind("/var/run/docker.sock")]

    changed = compose.move_binds(document({"tests": {"volumes": mounts}}), SOURCE, Path("/copy"))

    moved = changed["services"]["tests"]["volumes"]
    assert [mount["source"] for mount in moved] == ["/copy/data", "/copy", "/var/run/docker.sock"]
    assert moved[0]["read_only"]


def test_networks_that_are_not_the_files_own_are_named():
    modes = {"a": "host", "b": "container:other", "c": "service:a", "d": "none", "e": None}
    services = {name: {"network_mode": mode} for name, mode in modes.items()}

    assert list(compose.reaching_out(document(services))) == [
        "service a has network_mode host",
        "service b has network_mode container:other",
    ]


def test_the_document_given_is_never_changed():
    given = document({"tests": {"image": "a", "build": {"context": "/x", "tags": ["b"]}, "ports": [{"target": 1}]}})
    before = json.dumps(given)

    named = compose.choose_images(compose.select_services(given, "tests"), {}, "build:1")
    compose.with_suite(compose.isolate(named, "sandbox-1", LABELS, LOGS), "tests", None, {})

    assert json.dumps(given) == before

import platform

import pytest

from delivery.docker.images.stand_ins import RECIPES, recipes, split_reference, stand_in_for
from delivery.errors import Misconfigured
from delivery.releases.release import BaseImage
from tests.docker.recipes import copied_recipes

ALL = recipes(RECIPES)


@pytest.mark.parametrize(
    ("asked", "repository", "tag"),
    [
        ("node", "node", "latest"),
        ("library/node:22", "node", "22"),
        ("docker.io/library/node:22-alpine", "node", "22-alpine"),
        ("public.ecr.aws/docker/library/python:3.11", "python", "3.11"),
        ("harbor.example.org:8443/hub/library/nginx:1.22", "nginx", "1.22"),
        ("127.0.0.1:5000/node:22", "127.0.0.1:5000/node", "22"),
        ("example.org/team/node", "example.org/team/node", "latest"),
        ("nginxinc/nginx-unprivileged:1.22-alpine", "nginxinc/nginx-unprivileged", "1.22-alpine"),
    ],
)
def test_mirrors_of_official_images_are_seen_through(asked, repository, tag):
    assert split_reference(asked) == (repository, tag)


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ("node", "node"),
        ("node:22", "node"),
        ("node:22-bookworm", "node"),
        ("node:jod", "node"),
        ("node:22-slim", "node-slim"),
        ("node:22.11.0-bookworm-slim", "node-slim"),
        ("node:lts-slim", "node-slim"),
        ("node:22-alpine", "node-alpine"),
        ("node:lts-alpine3.20", "node-alpine"),
        ("docker.io/library/node:22.11-alpine3.20", "node-alpine"),
        ("python:3.11", "python"),
        ("python:3", "python"),
        ("python:3.11.9-bookworm", "python"),
        ("python:3.11-slim", "python-slim"),
        ("python:3.11.9-slim-bookworm", "python-slim"),
        ("python:3.11-alpine", "python-alpine"),
        ("buildpack-deps:bookworm-scm", "buildpack-deps"),
        ("redis:7", "redis"),
        ("redis:7.2-alpine", "redis"),
        ("memcached:1.6-alpine", "memcached"),
        ("golang:1.22", "golang"),
        ("golang:1.22.3-alpine", "golang"),
        ("eclipse-temurin:17", "temurin"),
        ("eclipse-temurin:17-jdk-jammy", "temurin"),
        ("eclipse-temurin:17.0.9_9-jre", "temurin-jre"),
        ("eclipse-temurin:17-jre-alpine", "temurin-jre"),
        ("openjdk:17-jdk-slim", "temurin"),
        ("flyway/flyway:9", "flyway"),
        ("redgate/flyway:9.22-alpine", "flyway"),
        ("ghcr.io/astral-sh/uv", "uv"),
        ("ghcr.io/astral-sh/uv:0.5.11", "uv"),
        ("ghcr.io/astral-sh/uv:python3.11-bookworm-slim", "uv-python-slim"),
        ("ghcr.io/astral-sh/uv:0.8-python3.11-bookworm", "uv-python"),
        ("postgres:15-alpine", "postgres"),
        ("nginx:alpine", "nginx"),
        ("nginxinc/nginx-unprivileged:stable-alpine", "nginx-unprivileged"),
        ("haproxy:2.6", "haproxy"),
        ("registry:2", "registry"),
        ("ghcr.io/aquasecurity/trivy:0.76.0", "trivy"),
        ("zenika/alpine-chrome:with-node", "browser"),
        ("alpine:3.20", "alpine"),
        ("busybox:1.36", "busybox"),
        ("debian:bookworm", "debian"),
        ("debian:bookworm-slim", "debian"),
        ("debian:bookworm-20240612-slim", "debian"),
        ("debian:12", "debian"),
    ],
)
def test_a_stand_in_is_found(asked, kind):
    assert stand_in_for(asked).kind == kind


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("python:3.12", "a stand-in would be python 3.11, not 3.12"),
        ("python:3.1", "not 3.1"),
        ("node:2", "not 2"),
        ("node:20-slim", "a stand-in would be node 22, not 20-slim"),
        ("node:22-Alpine", "not 22-Alpine"),
        ("redis:8", "a stand-in would be redis 7, not 8"),
        ("redis:6-alpine", "not 6-alpine"),
        ("eclipse-temurin:21-jre", "a stand-in would be eclipse-temurin 17, not 21-jre"),
        ("ghcr.io/astral-sh/uv:python3.12-bookworm-slim", "not python3.12-bookworm-slim"),
        ("node:22-bullseye", "not 22-bullseye"),
        ("debian:latest", "not latest"),
        ("debian:trixie", "not trixie"),
        ("node:22@sha256:" + "0" * 64, "a digest names one image exactly"),
        ("ubuntu:22.04", "no recipe for a stand-in"),
        ("ruby:3.3", "no recipe for a stand-in; allowed: stand-ins for "),
        ("example.org/team/node:22", "no recipe"),
    ],
)
def test_what_a_stand_in_cannot_honour_is_refused(asked, why):
    with pytest.raises(Misconfigured, match=why):
        stand_in_for(asked)


def test_every_download_from_pypi_is_pinned_by_hash():
    for requirements in RECIPES.glob("*/requirements.txt"):
        for line in requirements.read_text().splitlines():
            assert "==" in line
            assert "--hash=sha256:" in line


def test_another_recipe_has_another_tag(tmp_path):
    copied = copied_recipes(tmp_path)
    before = {recipe.kind: recipe.tag("") for recipe in recipes(copied)}

    (copied / "busybox" / "packages").write_text("netbase\n")
    after = {recipe.kind: recipe.tag("") for recipe in recipes(copied)}

    assert _changed(before, after) == {"alpine", "busybox"}  # the one has a link to the other


def test_what_is_made_from_a_changed_image_has_another_tag_too(tmp_path):
    copied = copied_recipes(tmp_path)
    before = {recipe.kind: recipe.tag("") for recipe in recipes(copied)}

    (copied / "buildpack-deps" / "packages").write_text("gcc\n")
    after = {recipe.kind: recipe.tag("") for recipe in recipes(copied)}

    assert _changed(before, after) == {"buildpack-deps", "node", "python", "uv-python"}


def test_other_apt_sources_make_other_images_of_those_that_hold_them():
    named = {recipe.kind: (recipe.tag("URIs: http://one/"), recipe.tag("URIs: http://two/")) for recipe in ALL}

    changed = {kind for kind, (one, two) in named.items() if one != two}

    assert changed == {recipe.kind for recipe in ALL if recipe.has_apt}
    assert {"debian", "python-slim", "node", "golang"} <= changed
    assert not {"node-alpine", "redis", "uv", "busybox"} & changed


@pytest.mark.parametrize(
    ("asked", "version", "lacks"),
    [
        ("node:22.20.0-slim", "node 22.20.0", "yarn"),
        ("node:22-alpine", "node 22.20.0", "apk and musl"),
        ("node:22.11.0-slim", "node 22.20.0, not 22.11.0", "yarn"),
        ("node:lts-slim", "node 22.20.0, not lts", "yarn"),
        ("node:jod-slim", "node 22.20.0", "yarn"),
        ("node:alpine", "node 22.20.0, not latest", "apk and musl"),
        ("python:3.11.9", "python 3.11.2, not 3.11.9", "mercurial"),
        ("python:3.11-alpine", "python 3.11.2", "headers of Python"),
        ("nginx:1.27-alpine", "nginx 1.22.1, not 1.27", "apk and musl"),
        ("postgres:15.4", "postgres 15, not 15.4", "en_US.utf8"),
        ("eclipse-temurin:17-jdk-jammy", "eclipse-temurin 17", "Ubuntu (it is Debian 12)"),
        ("ghcr.io/astral-sh/uv:python3.11-bookworm", "uv 0.13.9", "mercurial"),
        ("alpine:3.20", "", "apk and musl"),
    ],
)
def test_a_stand_in_says_what_it_is_and_what_it_lacks(asked, version, lacks):
    recipe, tag = stand_in_for(asked), split_reference(asked)[1]

    assert recipe.version_for(tag) == version
    assert lacks in "; ".join(recipe.lacks_of(tag))


def test_a_warning_names_the_image_the_version_and_what_is_missing():
    base = BaseImage(
        asked="node:22.11-alpine", used="x", substitute=True, version="node 22.20.0, not 22.11", lacks=("apk", "yarn")
    )

    assert base.describe() == (
        "node:22.11-alpine: a stand-in made from Debian 12 packages takes its place (node 22.20.0, not 22.11); "
        "it lacks apk; yarn"
    )


def test_a_stand_in_for_another_machine_is_refused():
    ours = "amd64" if platform.machine() == "x86_64" else "arm64"
    other = {"amd64": "arm64", "arm64": "amd64"}[ours]

    assert stand_in_for("node:22", f"linux/{ours}").kind == "node"
    with pytest.raises(Misconfigured, match=f"a stand-in would be for linux/{ours}, not for linux/{other}/v8"):
        stand_in_for("node:22", f"linux/{other}/v8")


def test_no_two_recipes_stand_in_for_the_same_tag():
    tags = ["latest", "slim", "alpine", "bookworm", "bookworm-slim", *{one.series or one.provides for one in ALL}]
    asked = {(name, tag) for one in ALL for name in one.repositories for tag in tags if tag}
    able = {
        (name, tag): [one.kind for one in ALL if name in one.repositories and one.honours(tag)] for name, tag in asked
    }

    assert {key: kinds for key, kinds in able.items() if len(kinds) > 1} == {}


def _changed(before, after):
    return {kind for kind in before if before[kind] != after[kind]}

import pytest

from delivery.containers.dockerfile import external_bases, rewrite
from delivery.errors import Misconfigured

APPLICATION = """\
# syntax=docker/dockerfile:1.7
# escape=\\
ARG NODE_IMAGE=node:22-alpine
ARG VERSION=3.11
FROM ${NODE_IMAGE} AS base
WORKDIR /app

FROM base AS deps
RUN npm ci

FROM python:${VERSION:-3.12}-slim AS docs
RUN --mount=type=bind,from=busybox:1.36,target=/tools /tools/bin/busybox true

FROM deps AS test
# FROM ruby:3 is a comment
RUN npm test

FROM --platform=$BUILDPLATFORM nginx:1.22-alpine AS web
COPY --from=deps /app /usr/share/nginx/html
COPY --chown=1:1 --from=aquasec/trivy:latest \\
     /usr/local/bin/trivy /trivy
"""


def test_only_what_the_target_needs_is_asked_for():
    assert external_bases(APPLICATION) == ["node:22-alpine", "nginx:1.22-alpine", "aquasec/trivy:latest"]
    assert external_bases(APPLICATION, target="test") == ["node:22-alpine"]
    assert external_bases(APPLICATION, target="docs") == ["python:3.11-slim", "busybox:1.36"]
    assert external_bases(APPLICATION, target="0") == ["node:22-alpine"]


def test_build_arguments_win_over_defaults():
    given = {"NODE_IMAGE": "mirror.local/node:22", "VERSION": "3.13", "UNKNOWN": "x"}

    assert external_bases(APPLICATION, given, "deps") == ["mirror.local/node:22"]
    assert external_bases(APPLICATION, given, "docs") == ["python:3.13-slim", "busybox:1.36"]


def test_scratch_stages_and_numbers_are_not_external():
    text = "FROM golang:1.22\nFROM scratch\nCOPY --from=0 /bin/app /app\n"

    assert external_bases(text) == ["golang:1.22"]


def test_a_stage_may_have_the_name_of_its_image():
    assert external_bases("FROM node AS node\nFROM node\n") == ["node"]


def test_lower_case_continuations_and_comments_between_lines_are_read():
    text = "from \\\n# why\n  node:22 \\\n  as build\nFROM BUILD\n"

    assert external_bases(text) == ["node:22"]


def test_the_content_of_a_heredoc_is_not_read():
    text = "FROM python:3.11\nRUN <<EOF python\nfrom os import path\nFROM nothing\nEOF\nCOPY --from=busybox /bin /b\n"

    assert external_bases(text) == ["python:3.11", "busybox"]


def test_a_backtick_may_continue_lines():
    text = "# escape=`\nFROM `\n  node:22\n"

    assert external_bases(text) == ["node:22"]


@pytest.mark.parametrize(
    ("token", "base"),
    [("$A", "node"), ("${A}", "node"), ("${NONE:-python}", "python"), ("x${A:+-y}", "x-y"), ("${A}:$B", "node:22")],
)
def test_references_are_expanded_as_docker_does(token, base):
    assert external_bases(f'ARG A=node\nARG B="22"\nFROM {token}\n') == [base]


def test_an_argument_without_a_value_is_misconfigured():
    with pytest.raises(Misconfigured, match=r"Dockerfile line 2.*\n.*build_args"):
        external_bases("ARG BASE\nFROM ${BASE}\n")


def test_a_stage_that_does_not_exist_is_misconfigured():
    with pytest.raises(Misconfigured, match="no stage production; allowed: base, deps, docs, test, web"):
        external_bases(APPLICATION, target="production")


def test_an_empty_dockerfile_is_misconfigured():
    with pytest.raises(Misconfigured, match="no stage"):
        external_bases("# nothing\n")


def test_the_rewritten_dockerfile_starts_from_the_images_given():
    used = {
        "node:22-alpine": "headway-base/node:1",
        "python:3.11-slim": "headway-base/python:1",
        "nginx:1.22-alpine": "headway-base/nginx:1",
        "busybox:1.36": "headway-base/busybox:1",
        "aquasec/trivy:latest": "headway-base/trivy:1",
    }

    text, extra = rewrite(APPLICATION, {}, used)

    assert extra == {"NODE_IMAGE": "headway-base/node:1"}
    for target in ("web", "docs"):
        assert all(base.startswith("headway-base/") for base in external_bases(text, extra, target))
    assert "FROM --platform=$BUILDPLATFORM headway-base/nginx:1 AS web" in text
    assert "RUN --mount=type=bind,from=headway-base/busybox:1,target=/tools" in text


def test_only_the_lines_that_must_change_do():
    text, extra = rewrite(APPLICATION, {}, {"node:22-alpine": "headway-base/node:1"})

    assert text == APPLICATION.removeprefix("# syntax=docker/dockerfile:1.7\n")
    assert extra == {"NODE_IMAGE": "headway-base/node:1"}


def test_a_later_line_that_looks_like_a_directive_stays():
    text = "FROM node\n# syntax=docker/dockerfile:1\n"

    assert rewrite(text, {}, {}) == (text, {})


def test_an_argument_that_builds_another_name_is_not_replaced():
    text = "ARG BASE=node\nFROM ${BASE}\nFROM ${BASE}:22\n"

    rewritten, extra = rewrite(text, {}, {"node": "mirror/a"})

    assert (rewritten, extra) == ("ARG BASE=node\nFROM mirror/a\nFROM ${BASE}:22\n", {})


def test_the_name_of_a_stage_is_not_mistaken_for_its_image():
    text, _ = rewrite("FROM node AS node\nFROM node\nCOPY --from=node /a /b\n", {}, {"node": "mirror/node:22"})

    assert text == "FROM mirror/node:22 AS node\nFROM node\nCOPY --from=node /a /b\n"

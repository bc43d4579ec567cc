from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.dockerfiles.changes import starting_from, with_files, without_syntax
from delivery.dockerfiles.reading import read
from delivery.dockerfiles.variables import NotUnderstood
from delivery.errors import Misconfigured

CASES = Path(__file__).parent / "cases"


def external_bases(text, build_args=None, target=None):
    return read(text, build_args or {}).bases(target)


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
        external_bases("ARG NOTHING=1\n")


def test_the_rewritten_dockerfile_starts_from_the_images_given():
    used = {
        "node:22-alpine": "headway-base/node:1",
        "python:3.11-slim": "headway-base/python:1",
        "nginx:1.22-alpine": "headway-base/nginx:1",
        "busybox:1.36": "headway-base/busybox:1",
        "aquasec/trivy:latest": "headway-base/trivy:1",
    }

    text = starting_from(read(APPLICATION), used)

    for target in ("web", "docs"):
        assert all(base.startswith("headway-base/") for base in external_bases(text, target=target))
    assert "FROM --platform=$BUILDPLATFORM headway-base/nginx:1 AS web" in text
    assert "RUN --mount=type=bind,from=headway-base/busybox:1,target=/tools" in text


def test_only_the_lines_that_must_change_do():
    text = starting_from(read(APPLICATION), {"node:22-alpine": "headway-base/node:1"})

    assert text == APPLICATION.replace("FROM ${NODE_IMAGE} AS base", "FROM headway-base/node:1 AS base")


def test_a_syntax_line_is_taken_away_where_it_counts():
    later = "FROM node\n# syntax=docker/dockerfile:1\n"

    assert without_syntax(APPLICATION) == APPLICATION.removeprefix("# syntax=docker/dockerfile:1.7\n")
    assert without_syntax("# escape=`\n# syntax=x\nFROM a\n") == "# escape=`\nFROM a\n"
    assert without_syntax(later) == later


def test_an_argument_that_builds_another_name_is_not_replaced():
    text = "ARG BASE=node\nFROM ${BASE}\nFROM ${BASE}:22\n"

    assert starting_from(read(text), {"node": "mirror/a"}) == "ARG BASE=node\nFROM mirror/a\nFROM ${BASE}:22\n"


def test_the_name_of_a_stage_is_not_mistaken_for_its_image():
    text = starting_from(read("FROM node AS node\nFROM node\nCOPY --from=node /a /b\n"), {"node": "mirror/node:22"})

    assert text == "FROM mirror/node:22 AS node\nFROM node\nCOPY --from=node /a /b\n"


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_dockerfiles_of_strangers_start_from_what_their_authors_meant(case):
    dockerfile = read((CASES / case).read_text())

    assert dockerfile.bases() == ["python:3.11-slim"]
    assert read(starting_from(dockerfile, {"python:3.11-slim": "mirror/python"})).bases() == ["mirror/python"]


def test_what_a_step_says_is_never_taken_for_an_image():
    text = (
        "FROM a\nRUN echo --from=b\nRUN echo '--mount=type=bind,from=c'\nRUN cat <<< text\nRUN echo $((1 << BITS))\n"
        'RUN echo "a <<EOF b"\nLABEL how="COPY --from=d"\nCMD ["--from=e"]\nCOPY f /f\n'
    )

    assert external_bases(text) == ["a"]


def test_tabs_quotes_case_and_numbers_are_read_as_docker_reads_them():
    text = 'from\t"node:22"\tas\tOne\nFROM "python:3.11" AS two\nCOPY\t--from=0 /a /b\nCOPY --from=ONE /a /b\n'

    assert external_bases(text) == ["node:22", "python:3.11"]
    assert starting_from(read(text), {"node:22": "x"}).splitlines()[0] == "FROM x as One"


def test_the_platform_of_the_engine_chooses_the_stage():
    text = (CASES / "targetarch.Dockerfile").read_text()

    assert read(text, platform="linux/arm64").bases() == ["python:3.11-slim"]
    assert [stage.image for stage in read(text, platform="linux/arm64").stages][-1] == "base-arm64"
    assert read("FROM x:$TARGETOS-$BUILDARCH\n", platform="linux/arm64").bases() == ["x:linux-arm64"]


def test_an_image_for_another_platform_is_left_to_the_engine():
    text = (
        "FROM --platform=linux/arm64 node AS other\nFROM --platform=$TARGETPLATFORM python\nCOPY --from=other /a /b\n"
    )

    assert external_bases(text) == ["python"]


@pytest.mark.parametrize("named", ["linux/amd64", "amd64", "linux/x86_64", "$BUILDPLATFORM", "linux/amd64/v1"])
def test_the_same_platform_by_another_name_is_no_other_one(named):
    assert external_bases(f"FROM --platform={named} node\n") == ["node"]


def test_what_a_stage_triggers_is_needed_by_those_that_start_from_it():
    text = "FROM a AS first\nONBUILD COPY --from=b /x /y\nFROM c AS alone\nFROM first\n"

    assert external_bases(text) == ["a", "b"]
    assert external_bases(text, target="alone") == ["c"]
    assert "ONBUILD COPY --from=mirror/b /x /y" in starting_from(read(text), {"b": "mirror/b"})


def test_a_later_stage_may_be_copied_from():
    assert external_bases("FROM a AS one\nCOPY --from=two /x /y\nFROM b AS two\n", target="one") == ["a", "b"]


@pytest.mark.parametrize(
    ("token", "base"),
    [
        ("${NONE-a}", "a"),
        ("${EMPTY-a}b", "b"),
        ("${EMPTY:-a}", "a"),
        ("${NONE:-${A}}", "node"),
        ("x${EMPTY+y}", "xy"),
        ("x${EMPTY:+y}", "x"),
        ("'$A'", "$A"),
        ('"$A"', "node"),
        ("${A:?needed}", "node"),
    ],
)
def test_defaults_are_expanded_as_docker_does(token, base):
    assert external_bases(f"ARG A=node\nARG EMPTY=\nFROM {token}\n") == [base]


@pytest.mark.parametrize(
    "text",
    [
        "FROM ${A/x/y}\n",
        "FROM ${A%:*}\n",
        "FROM ${A:?is needed}\n",
        "FROM ${A\n",
        "FROM a b c\n",
        "FROM a\nRUN <<EOF\nnever closed\n",
        "FROM a\nCOPY --from=${X} /a /b\n",
        "FROM a\0b\n",
    ],
)
def test_what_is_not_understood_is_left_to_the_engine(text):
    with pytest.raises(NotUnderstood):
        read(f"ARG B=1\n{text}")


def test_lines_keep_their_numbers():
    text = "# comment\n\nFROM \\\n  # why\n  node:22 \\\n  AS build\nRUN false\n"

    changed = starting_from(read(text), {"node:22": "mirror/node"})

    assert changed.splitlines()[2] == "FROM mirror/node AS build"
    assert changed.splitlines().index("RUN false") == text.splitlines().index("RUN false")


def test_only_run_instructions_are_given_files_and_variables():
    text = "FROM a AS one\nCOPY x /x\nRUN --network=none <<EOF\nRUN inside\nEOF\nFROM b\nCOPY --from=one /x /x\n"

    changed = with_files(read(text), {"headway-ca": "/dev/headway/ca.crt"}, {"SSL_CERT_FILE": "/dev/headway/ca.crt"})

    assert changed == (
        'FROM a AS one\nARG SSL_CERT_FILE="/dev/headway/ca.crt"\nCOPY x /x\n'
        "RUN --mount=type=secret,id=headway-ca,target=/dev/headway/ca.crt,mode=0444 --network=none <<EOF\nRUN inside\n"
        "EOF\nFROM b\nCOPY --from=one /x /x\n"
    )


def test_signs_that_only_look_like_line_ends_move_nothing():
    text = "FROM a\nRUN echo '\u2028\x0b\x0c'\nCOPY --from=b /x /y\n"

    assert starting_from(read(text), {"b": "mirror/b"}) == text.replace("--from=b", "--from=mirror/b")


PIECES = st.sampled_from(
    [
        *(
            "FROM ",
            "RUN ",
            "COPY ",
            "ARG ",
            "ONBUILD ",
            "\n",
            "\n",
            " ",
            "\t",
            "\\\n",
            "`",
            "#",
            "<<EOF",
            "EOF",
            "A",
            "A=",
        ),
        *("--from=b ", "--from=${A} ", "--mount=type=bind,from=c ", "${A", "${A:-", "}", "$", '"', "'", "# escape=`\n"),
    ]
)


@given(st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join))
def test_whatever_a_dockerfile_holds_it_is_understood_or_left_to_the_engine(text):
    try:
        dockerfile = read(f"FROM a\n{text}")
        changed = starting_from(dockerfile, {"a": "mirror/a"})
    except (NotUnderstood, Misconfigured):
        return

    assert read(changed).stages[0].image == "mirror/a"

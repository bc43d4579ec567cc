"""What is in the wheel: all that an installed Headway needs, and nothing that it does not."""

import stat
import zipfile
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, text, tracked

pytestmark = pytest.mark.xdist_group("wheel")

ROOMS = ("local_aws/", "cli/", "flows/", "tasks/", "blocks/", "delivery/", "infra/aws/", "infra/bases/")
OF_INFRA = {"infra/__init__.py", "infra/deployments.yaml", "infra/headway.service"}
EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


@pytest.fixture
def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {one.filename: one for one in archive.infolist() if ".dist-info/" not in one.filename}


def test_the_wheel_holds_every_module_recipe_and_template_and_nothing_else(contents):
    assert set(contents) == {name for name in tracked() if name.startswith(ROOMS)} | OF_INFRA
    assert {"delivery/report/report.html.j2", "infra/bases/uv/wheel-platform"} <= set(contents)


@pytest.mark.parametrize("folder", ["tests", "bench", "examples", "docs"])
def test_the_wheel_holds_nothing_that_only_developers_need(contents, folder):
    assert (ROOT / folder).is_dir()
    assert [name for name in contents if Path(name).parts[0] == folder] == []


def test_the_deployments_in_the_wheel_are_those_at_the_top_of_the_repository(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("infra/deployments.yaml").decode() == text("deployments.yaml")


def test_what_a_recipe_calls_a_program_is_one_in_the_wheel(contents):
    programs = {name for name in contents if (ROOT / name).stat().st_mode & EXECUTABLE}

    assert "infra/bases/postgres/rootfs/usr/local/bin/docker-entrypoint.sh" in programs
    assert {name for name, one in contents.items() if one.external_attr >> 16 & EXECUTABLE} == programs

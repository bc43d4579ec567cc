"""What a user has after `uv tool install`: a command that works in a repository that knows nothing of Headway."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from delivery.docker.images.stand_ins import RECIPES, recipes
from tests.architecture.sources import text
from tests.support.wheels import environment_without_checkout

pytestmark = pytest.mark.xdist_group("wheel")

# There is a recipe for the second image, wherever it is said to be, and none for the first.
DOCKERFILE = """\
FROM nothing.invalid/nobody:1 AS files
FROM nothing.invalid/library/python:3.11-alpine
COPY --from=files /files server.py ./
EXPOSE 8000
CMD ["python", "server.py"]
"""
# A stranger's own, called like Headway's packages and like modules of Python's library.
NAMESAKES = ("cli", "flows", "tasks", "blocks", "delivery", "infra", "prefect", "pip")
MODULES = ("queue", "secrets", "typing", "shutil")
CARRIED = """
import importlib.util, json, yaml
from delivery.docker.images.build_client import find_compose
from delivery.docker.images.stand_ins import RECIPES, recipes
from delivery.package_data import package_data

file = package_data("deployments.yaml")
flows = [one["entrypoint"].partition(":")[0] for one in yaml.safe_load(file.read_text())["deployments"]]
modules = [importlib.util.find_spec(name).origin for name in ("pip", *flows)]
tags = {one.kind: one.tag("sources") for one in recipes(RECIPES)}
print(json.dumps({"where": [str(RECIPES), str(file), *find_compose("").program, *modules], "tags": tags}))
"""


@pytest.fixture
def repository(tmp_path):
    """A stranger's repository whose folders and modules are called like what Headway imports."""
    folder = tmp_path / "shop"
    for name in NAMESAKES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise SystemExit('this is the shop\\'s own {name}')\n")
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"raise SystemExit('this is the shop\\'s own {name}')\n")
    (folder / "server.py").write_text("print('hello')\n")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    return folder


@pytest.fixture
def run(tmp_path, repository):
    """Run a command line in the repository, without anything of the checkout in its environment."""
    env = environment_without_checkout() | {"HEADWAY_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}

    def started(*argv, **more):
        done = subprocess.run(
            list(map(str, argv)), cwd=repository, env=env | more, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return started


def test_the_installed_command_says_its_version(tool, run):
    assert run(tool.headway, "--version").stdout == f"{version('headway')}\n"


def test_recipes_deployments_and_programs_are_found_outside_of_any_checkout(tool, run):
    found = json.loads(run(tool.python, "-P", "-c", CARRIED).stdout)

    assert [place for place in found["where"] if not Path(place).is_relative_to(tool.folder)] == []
    # The same names as here: every file of every recipe is there, with its content and its mode.
    assert found["tags"] == {one.kind: one.tag("sources") for one in recipes(RECIPES)}
    assert len(found["where"]) == 4 + len(yaml.safe_load(text("deployments.yaml"))["deployments"])


@pytest.mark.docker
def test_a_strangers_repository_is_described_and_checked(tool, run, repository):
    run(tool.headway, "init")

    checked = run(tool.headway, "check")

    assert yaml.safe_load((repository / "headway.yaml").read_text())["app"] == "shop"
    assert checked.stdout.startswith("shop: 1 image, 1 service")
    assert "nothing.invalid/nobody:1 is not on the Docker engine" in checked.stderr
    assert "python:3.11-alpine" not in checked.stderr


def test_bash_completes_a_verb_once_it_is_told_to(tool, run, tmp_path):
    told = run("bash", "-c", "headway --install-completion; true", PATH=f"{tool.headway.parent}:/usr/bin:/bin")
    asked = "COMP_WORDS=(headway st); COMP_CWORD=1; _headway_completion $HEADWAY; echo ${COMPREPLY[*]}"

    completed = run("bash", "-c", f". {tmp_path}/.bashrc; {asked}", HEADWAY=str(tool.headway))

    assert "bash completion installed" in told.stdout
    assert completed.stdout == "status\n"


@pytest.mark.parametrize(
    ("shell", "line"),
    [("bash", "complete -o default -F _headway_completion headway"), ("zsh", "compdef _headway_completion headway")],
)
def test_a_shell_is_shown_its_script(tool, run, tmp_path, shell, line):
    called = tmp_path / shell  # any shell, by that name: the command looks at what it was started by
    called.symlink_to("/bin/sh")

    assert line in run(called, "-c", f"{tool.headway} --show-completion; true").stdout.splitlines()

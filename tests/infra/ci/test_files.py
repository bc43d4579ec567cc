"""The files for GitHub Actions hold what its users rely on: valid, pinned, with no more rights than they need."""

import re
import subprocess

import pytest
import yaml

from tests.infra.ci.laid_out import CI, PROGRAMS, lay_out

WORKFLOWS = sorted((CI / "github" / "workflows").glob("*.yml"))
ACTION = CI / "github" / "action.yml"


@pytest.fixture
def repository(tmp_path):
    lay_out(tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def lint(repository, *argv):
    return subprocess.run([PROGRAMS / argv[0], *argv[1:]], cwd=repository, capture_output=True, text=True)


def actionlint(repository):
    return lint(repository, "actionlint", "-no-color")


def zizmor(repository):
    return lint(repository, "zizmor", "--offline", "--no-progress", "--format", "plain", ".github")


def test_actionlint_finds_nothing(repository):
    done = actionlint(repository)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("prefect-api-url:", "prefect-api-urls:", "prefect-api-url"),
        ("ubuntu-latest", "${{ github.nothing }}", "nothing"),
        ("branches: [main]", "branchs: [main]", "branchs"),
    ],
)
def test_actionlint_would_find_what_is_wrong(repository, old, new, found):
    workflow = repository / ".github" / "workflows" / "deliver.yml"
    workflow.write_text(workflow.read_text().replace(old, new))

    done = actionlint(repository)

    assert done.returncode != 0
    assert found in done.stdout


def test_zizmor_finds_nothing(repository):
    done = zizmor(repository)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("@11bd71901bbe5b1630ceea73d27597364c9af683", "@v4", "unpinned-uses"),
        ("permissions:\n      contents: read", "permissions: write-all", "excessive-permissions"),
        ("persist-credentials: false", "fetch-depth: 0", "artipacked"),
    ],
)
def test_zizmor_would_find_what_is_unsafe(repository, old, new, found):
    workflow = repository / ".github" / "workflows" / "deliver.yml"
    workflow.write_text(workflow.read_text().replace(old, new))

    done = zizmor(repository)

    assert done.returncode != 0
    assert found in done.stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_of_others_is_pinned_by_its_commit(workflow):
    used = re.findall(r"uses: (\S+)", workflow.read_text())

    assert [one for one in used if not re.fullmatch(r"\./\S+|[\w/-]+@[0-9a-f]{40}", one)] == []
    assert yaml.safe_load(workflow.read_text())["permissions"] == {}


def test_what_people_give_to_the_action_is_never_part_of_a_script():
    action = yaml.safe_load(ACTION.read_text())

    assert [step["run"] for step in action["runs"]["steps"] if "${{" in step["run"]] == []

"""Test runners as they are: Headway starts them, gives them their shard, and reads what they report."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.docker.cells.testbed import run_cell
from delivery.home import Home
from delivery.ports.cells import CellResult
from delivery.spec.app import App
from delivery.spec.matrix import expand
from tests.support.images import image_of

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("runners")]
SITE = Path(pytest.__file__).parents[1]
PYTEST = ("py.py", "pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments")
IN_NODE = {
    "app/package.json": '{"scripts": {"test": "node --test", "start": "node server.js"}}',
    "app/server.js": "setInterval(() => {}, 1000)",
    "app/test/a.test.mjs": """import test from 'node:test'; import assert from 'node:assert';
test('adds', () => assert.equal(1 + 1, 2)); test('fails', () => assert.equal(process.env.TWO ?? 2, 2));
test('is to do', {todo: true}, () => assert.fail());""",
    "app/test/b.test.mjs": "import test from 'node:test'; test('group', (t) => t.test('inside', () => {}));",
}
IN_PYTHON = {
    "app/test_sum.py": "import os\ndef test_adds(): assert 1\ndef test_fails(): assert 'TWO' not in os.environ\n",
    "app/server.py": "import time; time.sleep(600)\n",
}


@pytest.fixture(scope="module")
def node_image() -> Iterator[str]:
    """An application with a web server and tests of Node's own runner."""
    changes = ["WORKDIR /app", 'CMD ["node", "server.js"]', "ENV NODE_OPTIONS=--enable-source-maps"]
    with image_of("node:22-alpine", IN_NODE, changes=changes) as image:
        yield image


@pytest.fixture(scope="module")
def python_image() -> Iterator[str]:
    """An application with a web server as its entry point, and pytest."""
    found = [path for name in PYTEST for path in (*SITE.glob(name), *SITE.glob(f"{name}-*.dist-info"))]
    folders = {f"site/{path.name}": path for path in found}
    changes = ["WORKDIR /app", "ENV PYTHONPATH=/site", 'ENTRYPOINT ["python3", "server.py"]']
    with image_of("python:3.11-alpine", IN_PYTHON, folders=folders, changes=changes) as image:
        yield image


def run_all(folder: Path, **suite: object) -> list[CellResult]:
    content = {"app": "shop", "images": {"api": {}}, "suites": {"unit": suite}, "environments": {"live": {}}}
    app = App.model_validate(content)
    home = Home(folder / "home")
    home.root.mkdir()
    home.cache.symlink_to(Home.current().cache, target_is_directory=True)
    return [
        run_cell(app, cell, {}, home=home, run_id="r", log=folder / f"{cell.slug}.txt", report_dir=folder / cell.slug)
        for cell in expand(app)
    ]


def counts(result: CellResult) -> tuple[object, ...]:
    return (result.outcome, result.tests, result.failures, result.skipped)


def test_nodes_own_runner_is_started_through_npm_and_read(node_image, tmp_path):
    (result,) = run_all(tmp_path, tool="node", image=node_image, command=["sh", "-c", "cd /app && npm test"])

    assert counts(result) == ("passed", 4, 0, 1), result
    assert (result.junit, result.exit_code) == (("node.xml",), 0)
    assert "adds" in Path(result.log).read_text()


def test_nodes_own_runner_starts_itself_and_a_failing_test_is_told_by_its_name(node_image, tmp_path):
    (result,) = run_all(tmp_path, tool="node", image=node_image, env={"TWO": "3"})

    assert counts(result) == ("failed", 4, 1, 1), result
    assert result.failing == ("test: fails",)


def test_the_shards_of_nodes_own_runner_are_all_of_its_tests(node_image, tmp_path):
    results = run_all(tmp_path, tool="node", image=node_image, shards=2)

    assert sorted(counts(result) for result in results) == [("passed", 1, 0, 0), ("passed", 3, 0, 1)]


def test_a_reporter_in_a_script_that_leaves_headway_none_is_told_with_the_next_step(node_image, tmp_path):
    script = "node --test $REPORTER"
    (result,) = run_all(
        tmp_path, tool="node", image=node_image, command=["sh", "-c", script], env={"REPORTER": "--test-reporter=tap"}
    )

    assert result.outcome == "failed"
    assert "Node 20 or newer writes it when the script itself names no --test-reporter; next: say" in result.problem


def test_pytest_is_started_and_not_the_web_server_and_a_failing_test_is_told(python_image, tmp_path):
    (result,) = run_all(tmp_path, tool="pytest", image=python_image, env={"TWO": "3"})

    assert (counts(result), result.failing) == (("failed", 2, 1, 0), ("test_sum: test_fails",))

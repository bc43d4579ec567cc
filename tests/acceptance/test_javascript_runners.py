"""Jest and Vitest from the registry, plain, through npm, yarn and pnpm: `python -m tests tests/acceptance` runs it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.docker.cells.testbed import run_cell
from delivery.home import Home
from delivery.ports.cells import CellResult
from delivery.spec.app import App
from delivery.spec.matrix import expand
from tests.support.images import image_of

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900), pytest.mark.xdist_group("runners")]
PACKAGES = ["jest@30", "jest-junit@17", "vitest@4", "yarn@1", "pnpm@9"]
SCRIPTS = """{"name": "shop", "version": "1.0.0", "scripts": {
"test": "jest", "both": "jest && echo done", "vi": "vitest run", "start": "node server.js"}}"""
JEST = {
    "app/package.json": SCRIPTS,
    "app/server.js": "setInterval(() => {}, 1000)",
    "app/cart.test.js": """jest.retryTimes(2); let tries = 0;
test('adds', () => expect(1 + 1).toBe(2)); test('fails', () => expect(process.env.TWO ?? '2').toBe('2'));
test('is flaky', () => expect(++tries).toBe(2)); test.skip('later', () => {}); test.todo('some day');""",
    "app/order.test.js": "test('orders', () => {});",
}
VITEST = {
    "app/package.json": SCRIPTS,
    "app/cart.test.mjs": """import { test, expect } from 'vitest'; let tries = 0;
test('adds', () => expect(1 + 1).toBe(2)); test('fails', () => expect(process.env.TWO ?? '2').toBe('2'));
test('is flaky', { retry: 2 }, () => expect(++tries).toBe(2)); test.skip('later', () => {});""",
    "app/order.test.mjs": "import { test } from 'vitest'; test('orders', () => {});",
}
CHANGES = ["WORKDIR /app", 'CMD ["npm", "start"]', "ENV PATH=/app/node_modules/.bin:/usr/local/bin:/usr/bin:/bin"]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What npm installs."""
    folder = tmp_path_factory.mktemp("npm")
    argv = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES]
    subprocess.run(argv, check=True, capture_output=True, text=True)
    return folder / "node_modules"


@pytest.fixture(scope="module")
def jest_image(modules: Path) -> Iterator[str]:
    with image_of("node:22", JEST, folders={"app/node_modules": modules}, changes=CHANGES) as image:
        yield image


@pytest.fixture(scope="module")
def vitest_image(modules: Path) -> Iterator[str]:
    with image_of("node:22", VITEST, folders={"app/node_modules": modules}, changes=CHANGES) as image:
        yield image


@pytest.fixture
def run_all(tmp_path: Path):
    home = Home(tmp_path / "home")
    home.root.mkdir()
    home.cache.symlink_to(Home.current().cache, target_is_directory=True)

    def run(**suite: object) -> list[CellResult]:
        content = {"app": "shop", "images": {"api": {}}, "suites": {"unit": suite}, "environments": {"live": {}}}
        app = App.model_validate(content)
        places = {cell.slug: tmp_path / cell.slug for cell in expand(app)}
        return [
            run_cell(app, cell, {}, home=home, run_id="r", log=places[cell.slug] / "log", report_dir=places[cell.slug])
            for cell in expand(app)
        ]

    return run


def counts(result: CellResult) -> tuple[object, ...]:
    return (result.outcome, result.tests, result.failures, result.errors, result.skipped, result.flaky)


@pytest.mark.parametrize(
    "command",
    [
        None,
        ["npx", "jest"],
        ["npm", "test"],
        ["yarn", "test"],
        ["pnpm", "test"],
        ["pnpm", "run", "test"],
        ["sh", "-c", "npm test && echo done"],
        ["sh", "-c", "npx jest | cat; exit 0"],
        ["sh", "-c", "npx jest $HEADWAY_TEST_ARGUMENTS"],
    ],
    ids=lambda command: " ".join(command or ["by itself"]),
)
def test_plain_jest_works_however_it_is_started(run_all, jest_image, command):
    (result,) = run_all(tool="jest", image=jest_image, command=command)

    assert counts(result) == ("passed", 6, 0, 0, 2, 1), result
    assert result.junit == ("jest.xml",)


def test_a_failing_test_of_plain_jest_is_told_by_its_name(run_all, jest_image):
    (result,) = run_all(tool="jest", image=jest_image, env={"TWO": "3"})

    assert (result.outcome, result.failures, result.failing) == ("failed", 1, ("app/cart.test.js: fails",))


def test_a_file_that_does_not_compile_is_told(run_all, jest_image):
    breaks = "echo 'const x = ;' >broken.test.js; npx jest || true"
    (result,) = run_all(tool="jest", image=jest_image, command=["sh", "-c", breaks])

    assert (result.outcome, result.errors) == ("failed", 1)
    assert result.failing[0].startswith("app/broken.test.js did not run: ")


def test_shards_of_jest_are_all_of_its_tests(run_all, jest_image):
    results = run_all(tool="jest", image=jest_image, shards=2)

    assert sorted(result.tests for result in results) == [1, 5]


def test_an_application_that_writes_junit_itself_is_read_once(run_all, jest_image):
    (result,) = run_all(
        tool="jest", image=jest_image, command=["npx", "jest", "--reporters=default", "--reporters=jest-junit"]
    )

    assert counts(result) == ("passed", 6, 0, 0, 2, 1), result
    assert result.junit == ("jest.xml",)


def test_a_script_in_which_nothing_can_be_passed_on_says_so(run_all, jest_image):
    (result,) = run_all(tool="jest", image=jest_image, command=["npm", "run", "both"])

    assert result.outcome == "no-tests"
    assert "looked for /reports/*.xml" in result.problem
    assert "next: say with `junit`" in result.problem


@pytest.mark.parametrize("command", [None, ["npm", "run", "vi"], ["npx", "vitest"]], ids=str)
def test_vitest_works_with_its_own_reporters(run_all, vitest_image, command):
    (result,) = run_all(tool="vitest", image=vitest_image, command=command)

    assert counts(result) == ("passed", 5, 0, 0, 1, 1), result
    assert result.junit == ("vitest.xml",)


def test_a_failing_test_of_vitest_is_told_by_its_name(run_all, vitest_image):
    (result,) = run_all(tool="vitest", image=vitest_image, env={"TWO": "3"})

    assert (result.outcome, result.failures) == ("failed", 1)
    assert result.failing == ("app/cart.test.mjs: fails",)


def test_shards_of_vitest_are_all_of_its_tests(run_all, vitest_image):
    results = run_all(tool="vitest", image=vitest_image, shards=2)

    assert sorted(result.tests for result in results) == [1, 4]

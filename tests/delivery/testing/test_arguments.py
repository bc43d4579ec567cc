"""Arguments reach the test runner through whatever starts it, or not at all."""

import shlex

import pytest

from delivery.testing.arguments import Program, is_test_command, starts, with_arguments

JEST, PLAYWRIGHT = Program(("jest",)), Program(("playwright",), "test")
MORE = ("--shard=1/2", "--outputFile=/a b")
TEXT = shlex.join(MORE)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("npx jest", f"npx jest {TEXT}"),
        ("npx jest -- cart", f"npx jest {TEXT} -- cart"),
        ("node --experimental-vm-modules node_modules/jest/bin/jest.js", None),
        ("docker-entrypoint.sh jest", f"docker-entrypoint.sh jest {TEXT}"),
        ("xvfb-run -a npx jest", f"xvfb-run -a npx jest {TEXT}"),
        ("npm test", f"npm test -- {TEXT}"),
        ("npm t", f"npm t -- {TEXT}"),
        ("npm run unit", f"npm run unit -- {TEXT}"),
        ("npm --prefix web run unit -- --ci", f"npm --prefix web run unit -- --ci {TEXT}"),
        ("yarn test", f"yarn test {TEXT}"),
        ("yarn jest", f"yarn jest {TEXT}"),
        ("pnpm test", f"pnpm run test {TEXT}"),
        ("pnpm --filter web test", f"pnpm --filter web run test {TEXT}"),
        ("pnpm run unit", f"pnpm run unit {TEXT}"),
        ("pnpm exec jest", f"pnpm exec jest {TEXT}"),
    ],
)
def test_arguments_are_passed_through_what_starts_the_tool(command: str, expected: str | None) -> None:
    expected = expected or f"{command} {TEXT}"
    assert with_arguments(command.split(), MORE, JEST) == tuple(shlex.split(expected))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("cd x && npx jest", "cd x && npx jest {}"),
        ("exec npx jest ${PATTERN} --ci", "exec npx jest ${PATTERN} --ci {}"),
        ("{ npx jest; }", "{ npx jest {}; }"),
        ("npx jest $(cat list) --ci", "npx jest $(cat list) --ci {}"),
        ("npx jest && echo done", "npx jest {} && echo done"),
        ("npx jest | tee log; exit $?", "npx jest {} | tee log; exit $?"),
        ("npx jest > log 2>&1 || true", "npx jest > log 2>&1 {} || true"),
        ("npx jest --testPathPattern='a|b' & wait", "npx jest --testPathPattern='a|b' {} & wait"),
        ('X="a; b" npx jest # all of it', 'X="a; b" npx jest {} # all of it'),
        ("# jest\nnpx jest\n", "# jest\nnpx jest {}\n"),
        ("(cd x; npx jest -- cart)", "(cd x; npx jest {} -- cart)"),
        ("if npx jest; then echo ok; fi", "if npx jest {}; then echo ok; fi"),
        ("echo jest && npm test", "echo jest && npm test -- {}"),
        ("npm ci && npm test", "npm ci && npm test -- {}"),
        ("npm run build && npm run test:unit", "npm run build && npm run test:unit -- {}"),
        ("npm install jest && npm run unit", "npm install jest && npm run unit -- {}"),
        ("pnpm test && echo 'x  y'", "pnpm run test {} && echo 'x  y'"),
    ],
)
def test_a_script_of_a_shell_passes_arguments_where_the_tool_stands(script: str, expected: str) -> None:
    assert with_arguments(["sh", "-ec", script], MORE, JEST) == ("sh", "-ec", expected.replace("{}", TEXT))


def test_a_tool_is_more_than_its_name() -> None:
    script = "npx playwright install && npx playwright test"
    assert with_arguments(["sh", "-c", script], MORE, PLAYWRIGHT) == ("sh", "-c", f"{script} {TEXT}")


@pytest.mark.parametrize(
    "argv",
    [
        ["make", "test"],
        ["./run-tests.sh"],
        ["npm", "ci"],
        ["turbo", "run", "test"],
        ["sh", "-c", "make test"],
        ["sh", "-c", "npx jest a; npx jest b"],
        ["sh", "-c", "npm run test:unit && npm run test:web"],
        ["sh", "-c", "echo nothing"],
        ["sh", "-c", ""],
    ],
)
def test_where_it_is_not_plain_nothing_is_passed(argv: list[str]) -> None:
    assert with_arguments(argv, MORE, JEST) is None


def test_without_arguments_nothing_changes() -> None:
    assert with_arguments(["make", "test"], (), JEST) == ("make", "test")


@pytest.mark.parametrize(
    ("argv", "is_one"),
    [
        (["npm", "test"], True),
        (["./run_tests.sh"], True),
        (["sh", "-c", "python manage.py test"], True),
        (["npm", "run", "e2e"], True),
        (["node", "latest.js"], False),
        (["uvicorn", "contest:app"], False),
        (["npm", "start"], False),
        ([], False),
    ],
)
def test_a_command_of_tests_is_told_from_a_server(argv: list[str], is_one: bool) -> None:
    assert is_test_command(argv) == is_one


def test_installing_a_tool_does_not_start_it() -> None:
    assert not starts(["sh", "-c", "npm install jest && npm start"], JEST)

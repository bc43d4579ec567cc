import base64
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from delivery.changes.ledger import LABEL_PLATFORM
from delivery.docker.cells.testbed import run_cell
from delivery.docker.engine.client import connect
from delivery.docker.engine.sweep import remove_labelled, remove_run
from delivery.docker.images.bases import resolve_base
from delivery.errors import Interrupted
from delivery.home import Home
from delivery.spec.app import App
from delivery.spec.matrix import expand

pytestmark = pytest.mark.docker
BUSYBOX = "busybox:1.36"
STALE = "headway-test-stale"
REPORT = '<testsuite name="s" tests="{tests}"><testcase name="t"/></testsuite>'
WRITES_A_REPORT = 'echo \'<testsuite name="s" tests="1"><testcase name="t"/></testsuite>\' > /reports/a.xml'
FAILS = (
    'echo \'<testsuite tests="1"><testcase name="adds up"><failure>2</failure></testcase></testsuite>\' >/reports/a.xml'
)
PYTHON = "printf '#!/bin/sh\\necho python $*' >/bin/python; chmod +x /bin/python"
SERVES = ["sh", "-c", "mkdir /w && echo $DATABASE_URL >/w/url && touch /w/healthz && exec httpd -f -p 8080 -h /w"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A platform of its own that shares the base images' cache."""
    home = Home(tmp_path / "home")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cache").symlink_to(Home.current().cache, target_is_directory=True)
    yield home
    leftovers = things_of(home)
    remove_labelled(connect(), {LABEL_PLATFORM: home.identity})
    assert leftovers == []


def things_of(home):
    filters = {"label": f"{LABEL_PLATFORM}={home.identity}"}
    client = connect()
    found = [
        *client.containers.list(all=True, filters=filters, ignore_removed=True),
        *client.networks.list(filters=filters),
    ]
    return [thing.name for thing in [*found, *client.volumes.list(filters=filters)]]


def app(**suites):
    return App.model_validate(
        {
            "app": "shop",
            "images": {"api": {}},
            "services": {
                "api": {"image": BUSYBOX, "command": SERVES, "port": 8080, "health": "/healthz", "needs": ["cache"]}
            },
            "backing": {"cache": {"image": BUSYBOX, "command": ["nc", "-ll", "-p", "6379", "-e", "cat"], "port": 6379}},
            "database": {
                "name": "shop",
                "migrate": {
                    "image": "postgres:15-alpine",
                    "command": ["sh", "-c", 'psql -q "$DATABASE_URL" -c "create table task (id int)"'],
                },
            },
            "suites": suites,
            "environments": {"production": {}},
        }
    )


def run(app, home, tmp_path, cell=None, run_id="run-1", **more):
    cell = cell or expand(app)[0]
    folder = tmp_path / cell.slug
    where = {"log": folder / "log.txt", "report_dir": folder / "junit"}
    return run_cell(app, cell, {}, home=home, run_id=run_id, **where, **more)


def suite(script, **more):
    return {"image": BUSYBOX, "command": ["sh", "-c", script], **more}


def test_a_suite_sees_service_migrated_database_and_its_own_reports(home, tmp_path):
    script = f"""set -e
    test "$API_URL" = http://api:8080; test "$BASE_URL" = "$API_URL"; test "$NODE" = 22
    test "$(wget -q -O - $API_URL/url)" = "$DATABASE_URL"
    echo hello | nc -w 1 cache 6379; echo node is ${{node}}
    {WRITES_A_REPORT}"""
    checked = app(api=suite(script, services=["api"], axes={"node": ["22"]}, junit="/reports/*.xml"))

    result = run(checked, home, tmp_path)

    assert (result.outcome, result.tests, result.exit_code) == ("passed", 1, 0), result.last_lines
    assert result.junit == ("a.xml",)
    assert "node is 22" in result.last_lines


def test_emoji_and_quotes_arrive_in_a_cell_as_they_are(home, tmp_path):
    spoken = '🚀 ä漢字 two\nlines "it\'s" $5 # no comment'
    script = 'printf %s "$SAID" | base64 -w 0; echo; printf %s "$TEXT" | base64 -w 0'
    result = run(app(api=suite(script, axes={"said": [spoken]}, env={"TEXT": "> ${said}"})), home, tmp_path)

    told = [base64.b64encode(text.encode()).decode() for text in (spoken, f"> {spoken}")]
    assert (result.outcome, result.last_lines.splitlines()) == ("passed", told), result


def test_a_migrated_database_is_there(home, tmp_path):
    one = {"image": "postgres:15-alpine", "command": ["sh", "-c", 'psql -q "$URL" -c "insert into task values (1)"']}
    checked = app(sql={**one, "database": True, "env": {"URL": "${database.url}"}})

    result = run(checked, home, tmp_path)

    assert (result.outcome, result.junit_found) == ("passed", False), result.last_lines


def test_a_failing_cell_shows_its_last_lines_and_its_failing_tests(home, tmp_path):
    result = run(app(api=suite(f"{FAILS}; echo expected 2, found 3; exit 1", junit="/reports/*.xml")), home, tmp_path)

    assert (result.outcome, result.failures, result.exit_code) == ("failed", 1, 1)
    assert result.failing == ("adds up",)
    assert result.last_lines == "expected 2, found 3"
    assert "expected 2, found 3" in Path(result.log).read_text()


@pytest.mark.parametrize(
    ("env", "role"), [({"ROLE": "${tz}"}, "UTC"), ({}, "of the migration")], ids=["of the suite", "of the migration"]
)
def test_a_suites_own_variables_and_secrets_reach_its_cells_migration(home, tmp_path, env, role):
    writes = """psql -q "$DATABASE_URL" -c "create table given as select '$ROLE' as role, '$TOKEN' as token"
    echo $TOKEN"""
    content = app(sql={"image": "postgres:15-alpine", "database": True}).model_dump()
    content["database"]["migrate"] |= {"command": ["sh", "-c", writes], "env": {"ROLE": "of the migration"}}
    reads = """psql -At "$DATABASE_URL" -c "select * from given"; echo "$TOKEN" | wc -c"""
    content["suites"]["sql"] |= {
        "command": ["sh", "-c", reads],
        "axes": {"tz": ["UTC"]},
        "env": env,
        "secrets": {"TOKEN": "shop-token"},
    }

    result = run(App.model_validate(content), home, tmp_path, secrets={"TOKEN": SecretStr("canary-5d1f")})

    assert (result.outcome, result.last_lines) == ("passed", f"{role}|***\n12"), result
    assert Path(result.log).with_name("log-migrate.txt").read_text() == "***\n"


def test_a_secret_reaches_the_suite_and_the_services_beside_it_and_nothing_that_is_kept(home, tmp_path):
    tells = f"""echo '<testsuite name="'$TOKEN'"><testcase name="is '$TOKEN'"><failure/></testcase></testsuite>' \
    >/reports/a.xml; wget -q -O - $API_URL/url | wc -c; echo token=$TOKEN; {"exit 1"}"""
    content = app(api=suite(tells, services=["api"], junit="/reports/*.xml")).model_dump()
    content["services"]["api"]["command"][2] = (
        SERVES[2].replace("$DATABASE_URL", "$TOKEN").replace("exec", "echo $TOKEN; exec")
    )

    result = run(App.model_validate(content), home, tmp_path, secrets={"TOKEN": SecretStr("canary-5d1f")})

    kept = [path.read_text() for path in tmp_path.rglob("*.*") if path.is_file() and "home" not in path.parts]
    assert result.last_lines == "12\ntoken=***"
    assert result.failing == ("is ***",)
    assert "canary-5d1f" not in "".join([*kept, result.model_dump_json()])
    assert len(kept) >= 3


@pytest.mark.long
def test_a_report_that_came_with_the_image_passes_no_suite(home, tmp_path):
    image = resolve_base(BUSYBOX, home=home).used
    stale = f"{STALE}:{secrets.token_hex(4)}"
    container = connect().containers.run(image, ["sh", "-c", f"mkdir /reports; {WRITES_A_REPORT}"], detach=True)
    try:
        container.wait()
        container.commit(*stale.split(":"))
        result = run(app(api={"image": stale, "command": ["true"], "junit": "/reports/*.xml"}), home, tmp_path)
    finally:
        container.remove(force=True)
        connect().images.remove(stale, force=True)

    assert result.outcome == "no-tests"
    assert "looked for /reports/*.xml: /reports/a.xml is older than the cell, it came with the image" in result.problem


def test_a_run_without_junit_says_what_was_looked_for_and_what_to_do(home, tmp_path):
    result = run(app(unit=suite("make test || true", tool="jest")), home, tmp_path)

    assert result.outcome == "no-tests"
    assert "wrote no JUnit file; looked for /reports/*.xml; `sh -c 'make test || true'` does not show" in result.problem
    assert "next: say with `junit` where the suite writes it" in result.problem
    assert result.remarks[0].startswith("`sh -c 'make test || true'` does not show how it passes on `--json")


def test_reports_that_are_too_large_are_the_suites_own_problem(home, tmp_path):
    huge = suite("mkdir /o; truncate -s 70M /o/a.xml; echo done", junit="/o/*.xml")

    result = run(app(api=huge), home, tmp_path)

    assert (result.outcome, result.exit_code, result.last_lines) == ("error", 0, "done")
    assert result.problem.startswith("headway.yaml: suites.api.junit: /o/a.xml has 73.4 MB")
    assert "engine" not in result.problem


@pytest.mark.long
def test_a_tool_starts_itself_in_an_image_whose_entry_point_is_a_server(home, tmp_path):
    image = resolve_base(BUSYBOX, home=home).used
    server = f"{STALE}:{secrets.token_hex(4)}"
    container = connect().containers.run(image, ["sh", "-c", PYTHON], detach=True)
    try:
        container.wait()
        container.commit(*server.split(":"), changes=['ENTRYPOINT ["sleep"]', 'CMD ["600"]'])
        result = run(app(api={"image": server, "tool": "pytest"}), home, tmp_path)
    finally:
        container.remove(force=True)
        connect().images.remove(server, force=True)

    assert (result.outcome, result.last_lines) == ("no-tests", "python -m pytest")


@pytest.mark.parametrize(
    "script",
    ["exit 0", "echo '<testsuites tests=\"0\"/>' >/reports/a.xml"],
    ids=["no report", "an empty report"],
)
def test_a_suite_that_runs_no_test_is_no_pass(home, tmp_path, script):
    result = run(app(api=suite(script, junit="/reports/*.xml")), home, tmp_path)

    assert result.outcome == "no-tests"


@pytest.mark.long
def test_a_service_that_does_not_start_is_shown_with_its_log(home, tmp_path):
    broken = app(api=suite("true", services=["api"])).model_dump()
    broken["services"]["api"]["command"] = ["sh", "-c", "echo no such table; exit 3"]

    result = run(App.model_validate(broken), home, tmp_path)

    assert result.outcome == "error"
    assert "stopped with exit code 3" in result.problem
    assert "no such table" in result.last_lines


def test_a_migration_that_fails_is_shown_with_its_last_lines(home, tmp_path):
    broken = app(sql=suite("true", database=True)).model_dump()
    broken["database"]["migrate"]["command"] = ["psql", "-c", "no sql"]

    result = run(App.model_validate(broken), home, tmp_path)

    assert result.outcome == "error"
    assert "the migration failed: exit code 1" in result.problem  # psql finds the database by its own variables
    assert 'syntax error at or near "no"' in result.last_lines


def test_a_cell_that_takes_too_long_is_ended(home, tmp_path):
    result = run(app(slow=suite("echo started; exec sleep 600", timeout_seconds=1)), home, tmp_path)

    assert (result.outcome, result.exit_code) == ("timed-out", None)
    assert result.last_lines == "started"


def test_cells_side_by_side_do_not_meet(home, tmp_path):
    claims = """psql -q "$DATABASE_URL" -c "insert into task values (1)"
    psql -At "$DATABASE_URL" -c "select count(*) from task" """
    both = app(sql={"image": "postgres:15-alpine", "command": ["sh", "-c", claims], "database": True, "shards": 2})

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda cell: run(both, home, tmp_path, cell), expand(both)))

    assert [(result.outcome, result.last_lines) for result in results] == [("passed", "1"), ("passed", "1")]


@pytest.mark.long
def test_a_run_that_is_stopped_ends_its_cells(home, tmp_path):
    run_id = secrets.token_hex(4)
    endless = app(slow=suite("exec sleep 600"))
    with ThreadPoolExecutor(1) as pool:
        cell = pool.submit(run, endless, home, tmp_path, run_id=run_id)
        while not [name for name in things_of(home) if name.endswith("suite")]:
            assert not cell.done(), cell.result()

        remove_run(home.identity, run_id)

        with pytest.raises(Interrupted):
            cell.result(timeout=60)


def test_a_command_that_is_not_in_the_image_is_an_error(home, tmp_path):
    result = run(app(api={"image": BUSYBOX, "command": ["no-such-program"]}), home, tmp_path)

    assert result.outcome == "error"
    assert "no-such-program" in result.problem


def test_parts_in_a_cell_get_secrets_made_for_it_and_share_its_volumes(home, tmp_path):
    told = 'test "$(wget -q -O - $API_URL/told)" = "$PASSWORD $PASSWORD"; test "$(wget -q -O - $API_URL/in/b)" = worker'
    content = app(api=suite(f'set -e; {told}; echo "length ${{#PASSWORD}}"', services=["api"])).model_dump(mode="json")
    del content["database"]
    says = ["sh", "-c", 'exec nc -ll -p 6379 -e echo "$PASSWORD"']
    content["backing"]["cache"] |= {"command": says, "secrets": {"PASSWORD": "of-production"}, "memory": "64m"}
    serves = 'test $$ = 1 || exit 9; echo "$(nc cache 6379 </dev/null) $PASSWORD" >/w/told; exec httpd -f -p 8080 -h /w'
    api = {"command": ["sh", "-c", f"touch /w/healthz; {serves}"], "init": False, "needs": ["cache", "worker"]}
    worker = {"image": BUSYBOX, "command": ["sh", "-c", "echo worker >/out/b; exec sleep 600"]}
    content["services"] = {
        "api": content["services"]["api"] | api | {"volumes": {"files": "/w/in"}},
        "worker": worker | {"volumes": {"files": "/out"}},
    }

    result = run(App.model_validate(content), home, tmp_path)

    assert (result.outcome, result.last_lines) == ("passed", "length 32"), result.problem + result.last_lines


def test_a_part_that_needs_more_memory_than_it_may_have_is_told_so(home, tmp_path):
    content = app(api=suite("true", services=["cache"])).model_dump(mode="json")
    content["backing"]["cache"] |= {"command": ["tail", "/dev/zero"], "memory": "16m"}

    result = run(App.model_validate(content), home, tmp_path)

    assert "stopped with exit code 137, out of memory (backing.cache.memory: 16m)" in result.problem


@pytest.mark.long
def test_programs_of_postgresql_find_the_database_without_being_told(home, tmp_path):
    one = {"image": "postgres:15-alpine", "command": ["psql", "-qAtc", "insert into task values (1); table task"]}

    result = run(app(sql={**one, "database": True}), home, tmp_path)

    assert (result.outcome, result.last_lines) == ("passed", "1"), result.last_lines

"""Rehearsals in containers: a migration on a copy, and both versions of the code on both schemas."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from delivery.changes.ledger import LABEL_PLATFORM
from delivery.docker.engine.client import connect
from delivery.docker.engine.sweep import remove_labelled
from tests.docker.test_testbed import things_of
from tests.support.ecs_service import waited
from tests.support.rehearsals import POSTGRES, SERVES, home_in, rehearsed, version

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker-rehearsal")]
ROOT = Path(__file__).resolve().parents[2]
OLD = "create table task (id serial primary key, title text not null); insert into task (title) values ('wash');"
READS = "insert into task (title) values ('iron'); select title from task;"
RENAMES = "alter table task rename column title to subject;"
READS_RENAMED = "insert into task (subject) values ('iron'); select subject from task;"


@pytest.fixture
def rehearse(tmp_path):
    """A function that rehearses on a platform of its own; nothing of it is left."""
    home = home_in(tmp_path)
    yield partial(rehearsed, home, tmp_path)
    leftovers = things_of(home)
    remove_labelled(connect(), {LABEL_PLATFORM: home.identity})
    assert leftovers == []


def outcomes(shown):
    return {(one.code, one.on): one.outcome for one in shown.cells}


def after(migration):
    """What a release migrates with: all of it from an empty database, or what is new on one that has the rest."""
    return f"select to_regclass('task') is null as fresh \\gset\n\\if :fresh\n{OLD}\n\\endif\n{migration}"


def test_both_versions_are_asked_on_both_schemas_and_each_statement_is_measured(rehearse):
    adds = (
        "begin; alter table task add column done boolean; update task set done = false; select pg_sleep(0.2); commit;"
    )
    shown = rehearse(version(OLD, READS), version(after(adds), f"{READS} select done from task;"))
    alter, update = shown.statements

    assert shown.rollback == "safe"
    assert outcomes(shown) == {
        ("old", "old"): "passed",
        ("new", "old"): "failed",
        ("old", "new"): "passed",
        ("new", "new"): "passed",
        ("old", "written"): "passed",
    }
    assert (alter.lock, alter.tables, alter.rewrites) == ("ACCESS EXCLUSIVE", ("public.task",), ())
    assert update.lock == "ROW EXCLUSIVE"
    assert alter.locked_seconds > update.locked_seconds  # until the transaction ended
    assert shown.longest_lock == alter


@pytest.mark.long
def test_a_file_that_is_sent_as_one_query_is_measured_as_well(rehearse):
    """In psql a backslash before `;` sends what is before it together with what comes after."""
    whole = "begin\\; alter table task add column done boolean\\; select pg_sleep(0.2)\\; commit;\n"
    locks = "begin;\nlock table task;\nsavepoint s;\nrollback to s;\nselect pg_sleep(0.2);\ncommit;\n"
    long = "select format('update task set title = %L', repeat('x', 200000)) \\gexec\nreindex table task;\n"
    shown = rehearse(version(OLD, READS), version(after(whole + locks + long), READS))

    assert shown.problem == ""
    assert [(one.lock, one.tables) for one in shown.statements] == [
        ("ACCESS EXCLUSIVE", ("public.task",)),
        ("ACCESS EXCLUSIVE", ("task",)),
        ("ROW EXCLUSIVE", ()),
        ("SHARE", ("task",)),
    ]
    assert [one.locked_seconds > 0.2 for one in shown.statements[:2]] == [True, True]


def test_a_rename_strands_the_old_code_and_only_a_backup_brings_it_back(rehearse):
    shown = rehearse(version(OLD, READS), version(after(RENAMES), READS_RENAMED))

    assert shown.rollback == "recovery"
    assert 'column "title" of relation "task" does not exist' in shown.obstacle


@pytest.mark.long
def test_what_can_be_taken_back_without_loss_needs_only_that(rehearse):
    back = "alter table task rename column subject to title;"
    shown = rehearse(version(OLD, READS), version(after(RENAMES), READS_RENAMED, down=back))

    assert outcomes(shown)["old", "reverted"] == "passed"
    assert shown.rollback == "down"


def test_what_the_new_code_writes_can_strand_the_old_one(rehearse):
    """No statement of the migration tells it: the old code gets on with the new schema, until the new one wrote."""
    wants = "do $$ begin assert not exists (select from task where title = ''), 'a task without a title'; end $$;"
    writes = "insert into task (title) values ('');"
    shown = rehearse(version(OLD, READS + wants), version(after("create table log (id int);"), writes))

    assert (outcomes(shown)["old", "new"], outcomes(shown)["old", "written"]) == ("passed", "failed")
    assert shown.rollback == "recovery"


@pytest.mark.long
def test_suites_that_cannot_run_twice_prove_nothing_about_what_was_written(rehearse):
    fixed = "insert into task (id, title) values (99, 'iron');"
    shown = rehearse(version(OLD, fixed), version(after("create table log (id int);"), fixed))

    assert ("old", "written") not in outcomes(shown)
    assert shown.rollback == "safe"
    assert shown.remarks == ("the suites cannot run twice on one database: what the new code wrote was not tried",)


@pytest.mark.long
def test_an_old_image_that_does_not_know_the_newest_revision_is_seen_not_to_start(rehearse):
    """Code that checks its schema when it starts needs no suite to show it."""
    knows = 'test "$(psql -qXAt "$DATABASE_URL" -c "select max(id) from task")" -le {} || exit 1; exec sleep 1000'
    serves = {"image": POSTGRES, "health": {"image_check": False}}
    services = [{"api": SERVES, "worker": serves | {"command": ["sh", "-c", knows.format(most)]}} for most in (1, 2)]
    old, new = version(OLD, services=services[0]), version(after(f"{READS}"), services=services[1])
    shown = rehearse(old, new)

    assert outcomes(shown)["old", "old"] == "passed"
    assert shown.rollback == "recovery"
    assert "worker stopped with exit code 1" in shown.obstacle


def test_migrations_that_fail_are_told_and_strand_nobody(rehearse):
    shown = rehearse(version(OLD, READS), version(after("select nonsense;"), READS))

    assert 'column "nonsense" does not exist' in shown.problem
    assert shown.rollback == "unknown"


def test_an_old_code_that_fails_on_its_own_schema_proves_nothing(rehearse):
    shown = rehearse(version(OLD, "select nowhere from task;"), version(after(RENAMES), READS_RENAMED))

    assert list(outcomes(shown)) == [("old", "old")]
    assert shown.rollback == "unknown"


def test_an_old_schema_that_cannot_be_made_proves_nothing(rehearse):
    shown = rehearse(version("select nonsense;", READS), version(OLD, READS))

    assert "the old schema could not be made" in shown.inconclusive
    assert shown.rollback == "unknown"


DRIVER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from delivery.home import Home
from tests.support.rehearsals import rehearsed, version
slow = "select pg_sleep(600)"
rehearsed(Home(Path(sys.argv[2])), Path(sys.argv[3]), version("create table task (id int)"), version(slow))
"""


def test_a_process_that_is_killed_in_a_rehearsal_leaves_no_database(tmp_path):
    home = home_in(tmp_path)
    argv = [sys.executable, "-P", "-c", DRIVER, str(ROOT), str(home.root), str(tmp_path)]
    driver = subprocess.Popen(argv, cwd=tmp_path)
    try:
        waited(lambda: any("migrate" in name for name in things_of(home)) or driver.poll() is not None)
        seen = things_of(home)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()

    assert any(name.endswith("-database") for name in seen)
    waited(lambda: things_of(home) == [])

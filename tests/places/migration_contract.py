"""What holds for every tool that migrates, beside whatever environment: from an empty database to its head, and back on
its feet after a failure, a lock, a change of what ran, and another runner.

A subclass brings `opened`, an environment with a database of its own, and `tool_image(tool, files)`, an image of the
tool with these files in it. `TOOL` says which one.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from delivery.changes.migration import carry_out, migration_job
from delivery.errors import Rejected
from delivery.migrations.tools import tool_of
from delivery.spec.database import Migration
from tests.places.migration_files import FILES, SAID, Step
from tests.support.ecs_service import waited

WORKS = (
    "select count(*) from pg_stat_activity where query like '%pg_sleep%' and application_name like 'headway-migrate-%'"
)
HAS = "select count(*) from information_schema.columns where table_name = 'account' and column_name = '{}'"
ONE, TWO, THREE = Step("1", "make accounts"), Step("2", "give them names"), Step("3", "give them ages")


@dataclass
class Runner:
    """One tool, its files as they are now, and an environment to migrate."""

    tool: str
    opened: object
    tool_image: object
    log: Path
    run: str = "run-1"

    def operate(self, operation, *steps, **kinds):
        """Return how an operation ended, and what the tool said."""
        described = Migration(tool=self.tool, image="x", lock_timeout_seconds=2, env=FILES[self.tool].env)
        with self.tool_image(self.tool, FILES[self.tool].of(*steps, **kinds)) as image:
            access, log = self.opened.database.ensure(), self.log / f"{threading.get_ident()}.log"
            job = migration_job(described, access, image, run=self.run, log=log, operation=operation)
            ended = self.opened.jobs.run(job)
            return described, ended, log

    def apply(self, *steps, **kinds):
        """Return what was applied; Rejected when that failed."""
        described = Migration(tool=self.tool, image="x")
        log = self.log / f"{threading.get_ident()}.log"
        return carry_out(described, lambda asked, *_: self.operate(asked, *steps, **kinds)[1], log).applied

    def versions(self, operation, *steps, **kinds):
        """Return what is pending, or was applied."""
        described, ended, log = self.operate(operation, *steps, **kinds)
        assert ended.exit_code == 0, ended
        return tool_of(described).versions(operation, log.read_text())

    def problem(self, operation, *steps, **kinds):
        """Return what an operation found wrong."""
        described, ended, log = self.operate(operation, *steps, **kinds)
        return tool_of(described).problem(operation, ended.exit_code, log.read_text())


class MigrationContract:
    """A subclass brings `opened`, `tool_image` and `query(sql)`, which answers with what psql prints."""

    TOOL = ""

    @pytest.fixture
    def runner(self, opened, tool_image, tmp_path):
        return Runner(self.TOOL, opened, tool_image, tmp_path)

    @pytest.fixture
    def hold(self, query):
        """A function within which another session holds a lock."""

        @contextmanager
        def holding(lock):
            with ThreadPoolExecutor(1) as pool:
                held = pool.submit(query, f"begin; {lock}; select 'held', pg_sleep(120)")
                waited(lambda: query("select count(*) from pg_locks where mode = 'AccessExclusiveLock'") != "0")
                try:
                    yield
                finally:
                    query("select pg_terminate_backend(pid) from pg_stat_activity where query like 'begin; lock%'")
                    with suppress(AssertionError):  # it was ended
                        held.result()

        return holding

    def names(self, *steps):
        return tuple(FILES[self.TOOL].name(one) for one in steps)

    def test_it_comes_from_an_empty_database_to_its_head_and_goes_on_after_a_failure(
        self, runner, query, record_property
    ):
        pending = runner.versions("pending", ONE, TWO)
        runner.apply(ONE, TWO)
        again = runner.apply(ONE, TWO)
        first = runner.versions("history", ONE, TWO)
        with pytest.raises(Rejected) as failed:
            runner.apply(ONE, TWO, THREE, broken=THREE)
        still = runner.versions("history", ONE, TWO)
        left = query(HAS.format("age"))
        open_still = runner.versions("pending", ONE, TWO, THREE, broken=THREE)
        runner.apply(ONE, TWO, THREE)
        end = runner.versions("history", ONE, TWO, THREE)

        record_property("failed", str(failed.value))
        assert pending == first == still == self.names(ONE, TWO)
        assert again == ()
        assert left == "0"
        assert open_still == self.names(THREE)
        assert end == self.names(ONE, TWO, THREE)
        assert "the migration failed: " in str(failed.value)
        assert "nowhere" in str(failed.value)
        assert "next: mend the migration" in str(failed.value)

    def test_what_was_changed_since_it_ran_is_refused_before_anything_is_done(self, runner, query, record_property):
        runner.apply(ONE, TWO)
        found = runner.problem("verify", ONE, TWO, changed=TWO)
        if "changed" not in SAID[self.TOOL]:
            assert found is None  # it keeps no checksums: nobody can know
            return
        with pytest.raises(Rejected, match=SAID[self.TOOL]["changed"]) as refused:
            runner.apply(ONE, TWO, THREE, changed=TWO)

        record_property("changed", str(refused.value))
        assert found.trouble == "changed"
        assert query(HAS.format("age")) == "0"
        assert runner.versions("history", ONE, TWO) == self.names(ONE, TWO)

    def test_a_lock_that_is_held_ends_it_in_seconds_and_the_next_run_goes_on(self, runner, hold, record_property):
        runner.apply(ONE)
        with hold("lock table account in access exclusive mode"):
            with pytest.raises(Rejected, match="lock timeout") as refused:
                runner.apply(ONE, TWO)

        record_property("locked", str(refused.value))
        assert "next: wait for what holds the lock" in str(refused.value)
        assert runner.apply(ONE, TWO) in (self.names(TWO), ())
        assert runner.versions("history", ONE, TWO) == self.names(ONE, TWO)

    def test_two_runners_at_once_leave_each_step_done_once(self, runner, query):
        runner.apply(ONE)
        others = [replace(runner, run=f"run-{number}") for number in (2, 3)]
        with ThreadPoolExecutor(2) as pool:
            ended = list(pool.map(lambda each: each.operate("apply", ONE, TWO)[1], others))

        assert 0 in [one.exit_code for one in ended]
        assert runner.versions("history", ONE, TWO) == self.names(ONE, TWO)
        assert query(HAS.format("name")) == "1"

    def test_a_run_that_was_killed_leaves_nothing_in_the_way_of_the_next(self, runner, query):
        runner.apply(ONE)
        killed = replace(runner, run="run-2")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(killed.operate, "apply", ONE, TWO, slow=TWO)
            waited(lambda: query(WORKS) != "0")
            runner.opened.database.end_migration("run-2")
            ended = running.result()[1]
        replace(runner, run="run-3").apply(ONE, TWO)

        assert ended.exit_code != 0
        assert runner.versions("history", ONE, TWO) == self.names(ONE, TWO)
        assert query(WORKS) == "0"

"""What holds for the jobs, the database and the backups of an environment, wherever it is.

A subclass brings `opened`, an environment in which nothing was released yet, and `job(kind, tmp_path)`: a job that
prints `hello` and ends well (`good`), that ends with 3 (`bad`), that never ends (`endless`), that prints its variables
TOKEN, which is secret, and PLACE (`talking`), and that leaves /reports/found.xml (`reporting`).
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from delivery.changes.migration import check_migration, migration_job
from delivery.errors import Misconfigured, Rejected
from delivery.ports.jobs import REPORTS
from delivery.spec.database import Migration
from delivery.spec.masking import Masking
from delivery.waiting import until

TOKEN = "n0-0ne-may-read-th1s"


class JobsContract:
    def test_a_good_job_ends_with_0_and_its_log_is_kept(self, opened, job):
        ended = opened.jobs.run(job("good"))

        assert (ended.exit_code, ended.problem(5)) == (0, "")
        assert ended.last_lines == "hello"
        assert job("good").log.read_text().strip() == "hello"

    def test_a_job_that_fails_says_how_with_its_last_lines(self, opened, job):
        ended = opened.jobs.run(job("bad"))

        assert ended.exit_code == 3
        assert ended.problem(5) == "ended with exit code 3; its last lines:\nhello"

    def test_a_job_whose_time_is_over_is_ended(self, opened, job):
        ended = opened.jobs.run(replace(job("endless"), timeout_seconds=1))

        assert ended.exit_code is None
        assert ended.problem(1).startswith("did not end within 1 s")

    def test_a_job_gets_its_secrets_and_none_of_them_is_kept(self, opened, job):
        talking = replace(job("talking"), env={"PLACE": "here"}, secrets={"TOKEN": SecretStr(TOKEN)})

        ended = opened.jobs.run(talking)

        assert ended.exit_code == 0
        assert ended.last_lines == "*** here"
        assert TOKEN not in talking.log.read_text() + repr(talking) + repr(ended)

    def test_what_a_job_reports_comes_back(self, opened, job):
        reporting = replace(job("reporting"), reports={f"{REPORTS}/*.xml": 10_000, "/nowhere/*.xml": 10})

        found, nothing = opened.jobs.run(reporting).reports

        assert (found.names, nothing.names) == (["found.xml"], [])
        assert (reporting.report_dir / "found.xml").read_text().strip() == "<testsuites/>"
        assert "/nowhere" in nothing.looked


class DatabaseContract:
    def test_there_is_no_database_before_one_is_asked_for(self, opened):
        assert opened.database.find() is None
        assert not opened.database.holds_data()
        assert opened.backups.take("run-1", "by hand") is None
        assert opened.backups.kept() == ()
        with pytest.raises(Misconfigured, match="none is kept"):
            opened.backups.prove("latest", "run-1")

    def test_a_database_is_found_again_with_the_access_it_was_made_with(self, opened):
        made = opened.database.ensure()

        assert opened.database.find() == made
        assert opened.database.ensure() == made
        assert made.password.get_secret_value() not in repr(made)

    def test_its_backup_is_proven(self, opened):
        opened.database.ensure()

        kept = opened.backups.take("run-1", "by hand")
        proof = opened.backups.prove(kept.name, "run-1")

        ours = [one for one in opened.backups.kept() if not one.of_the_place]
        assert [(one.name, one.proof, one.proven) for one in ours] == [(kept.name, proof, "proven")]
        assert (proof.outcome, proof.differences) == ("pass", ())
        assert proof.rto_seconds > 0

    def test_a_kept_backup_comes_back_beside_the_live_database_and_may_take_its_place(self, opened):
        live = opened.database.ensure().name
        kept = opened.backups.take("run-1", "by schedule")

        restored = opened.backups.restore(kept.name, "restored", "run-1")

        assert (restored.backup, restored.database, restored.rows) == (kept.name, "restored", kept.rows)
        assert opened.database.beside() == (live, "restored")
        with pytest.raises(Misconfigured, match="restored"):
            opened.backups.restore(kept.name, "restored", "run-1")
        with pytest.raises(Misconfigured, match=live):
            opened.backups.restore(kept.name, live, "run-1")

        kept_as = opened.database.use("restored")

        assert opened.database.beside() == (live, kept_as)
        with pytest.raises(Misconfigured, match="uses"):
            opened.database.drop(live)
        opened.database.drop(kept_as)
        opened.backups.forget(kept.name)
        assert opened.database.beside() == (live,)
        assert kept.name not in [one.name for one in opened.backups.kept()]

    def test_a_moment_that_is_not_kept_is_refused(self, opened):
        live = opened.database.ensure().name

        with pytest.raises(Misconfigured, match=r"^moment .*; allowed: "):
            opened.backups.restore_at(datetime(2001, 1, 1, tzinfo=UTC), "then", "run-1")
        assert opened.database.beside() == (live,)

    def test_a_kept_backup_comes_masked_beside_the_live_database_of_an_environment(self, opened):
        live = opened.database.ensure().name
        kept = opened.backups.take("run-1", "by hand")

        masked = opened.backups.restore_masked(kept.environment, kept.name, "masked", Masking(), "run-1")

        assert (masked.backup, masked.database, masked.rows, masked.columns) == (kept.name, "masked", kept.rows, 0)
        assert opened.database.beside() == (live, "masked")
        with pytest.raises(Misconfigured, match="masked"):
            opened.backups.restore_masked(kept.environment, kept.name, "masked", Masking(), "run-1")
        with pytest.raises(Misconfigured, match="nowhere"):
            opened.backups.restore_masked("nowhere", kept.name, "other", Masking(), "run-1")
        opened.database.drop("masked")
        opened.backups.forget(kept.name)
        assert opened.database.beside() == (live,)

    def test_a_migration_that_was_given_up_is_ended(self, opened, job, tmp_path):
        access, endless, begun = opened.database.ensure(), job("endless"), threading.Event()
        migration = Migration(image=endless.image, command=list(endless.command), timeout_seconds=300)
        work = migration_job(migration, access, endless.image, run="run-2", log=tmp_path / "log", begun=begun.set)

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(opened.jobs.run, work)
            begun.wait()
            ended = until(lambda: opened.database.end_migration("run-2"), seconds=60, every=0.1)

        assert ended.containers == 1
        assert running.result().exit_code not in (0, None)
        assert not opened.database.end_migration("run-2")

    def test_a_job_that_may_not_begin_any_more_is_ended(self, opened, job):
        def refuse():
            raise Rejected("the lease is over")

        with pytest.raises(Rejected, match="the lease is over"):
            opened.jobs.run(replace(job("endless"), begun=refuse))

    def test_a_migration_that_fails_is_told_with_its_last_lines(self, opened, job, tmp_path):
        access, bad = opened.database.ensure(), job("bad")
        migration = Migration(image=bad.image, command=list(bad.command))

        ended = opened.jobs.run(migration_job(migration, access, bad.image, run="run-1", log=tmp_path / "log"))

        with pytest.raises(Rejected, match="the migration failed: exit code 3; its last lines:\nhello"):
            check_migration(migration, ended, tmp_path / "log")

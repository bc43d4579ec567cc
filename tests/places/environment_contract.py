"""What holds for the jobs, the database and the backups of an environment, wherever it is.

A subclass brings `opened`, an environment in which nothing was released yet, and `job(kind, tmp_path)`: a job that
prints `hello` and ends well (`good`), that ends with 3 (`bad`), that never ends (`endless`), that prints its variables
TOKEN, which is secret, and PLACE (`talking`), and that leaves /reports/found.xml (`reporting`).
"""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from delivery.changes.migration import check_migration, migration_job
from delivery.errors import Rejected
from delivery.ports.jobs import REPORTS
from delivery.spec.database import Migration

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
        assert opened.backups.prove("run-1") is None

    def test_a_database_is_found_again_with_the_access_it_was_made_with(self, opened):
        made = opened.database.ensure()

        assert opened.database.find() == made
        assert opened.database.ensure() == made
        assert made.password.get_secret_value() not in repr(made)

    def test_its_backup_is_proven(self, opened):
        opened.database.ensure()

        proof = opened.backups.prove("run-1")

        assert (proof.outcome, proof.differences) == ("pass", ())
        assert proof.rto_seconds > 0

    def test_a_migration_that_fails_is_told_with_its_last_lines(self, opened, job, tmp_path):
        access, bad = opened.database.ensure(), job("bad")
        migration = Migration(image=bad.image, command=list(bad.command))

        ended = opened.jobs.run(migration_job(migration, access, bad.image, run="run-1", log=tmp_path / "log"))

        with pytest.raises(Rejected, match="the migration failed: exit code 3; its last lines:\nhello"):
            check_migration(migration, ended)

"""Revisions of Alembic that part and come together again: the tool itself, on a database of SQLite."""

import io
import logging

import pytest
from alembic import command
from alembic.config import Config

from delivery.changes.migration import carry_out, pending_parts
from delivery.ports.jobs import JobResult
from delivery.spec.database import Migration

ENV = """
from alembic import context
from sqlalchemy import create_engine
with create_engine(context.config.get_main_option("url")).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = '''"""step {name}"""
revision, down_revision, depends_on, branch_labels = {name!r}, {before!r}, {needs!r}, {labels!r}
def upgrade(): pass
def downgrade(): pass
'''
MERGED = {"001": None, "002a": "001", "002b": "001", "003": ("002a", "002b"), "004": "003"}
APART = {"001": None, "002a": "001", "002b": "001", "003b": "002b", "004": ("002a", "003b")}


class Revisions:
    """Files of Alembic and a database, and what runs the tool on them as a job does."""

    def __init__(self, folder):
        self.folder, self.log = folder, folder / "log"
        (folder / "versions").mkdir()
        (folder / "env.py").write_text(ENV)

    def write(self, revisions, needs=None, labels=None):
        for name, before in revisions.items():
            given = {"needs": (needs or {}).get(name), "labels": (labels or {}).get(name)}
            (self.folder / "versions" / f"{name}.py").write_text(REVISION.format(name=name, before=before, **given))

    def ask(self, operation, count=1, up_to=""):
        """Run what Alembic's words are, with its output and its log as what it said."""
        said = io.StringIO()
        config, handler = Config(stdout=said), logging.StreamHandler(said)
        config.set_main_option("script_location", str(self.folder))
        config.set_main_option("url", f"sqlite:///{self.folder / 'db.sqlite'}")
        told = logging.getLogger("alembic.runtime.migration")
        told.addHandler(handler)
        told.setLevel(logging.INFO)
        try:
            if operation == "pending":
                command.history(config, "current:heads", indicate_current=True)
            else:
                does = {"apply": command.upgrade, "revert": command.downgrade, "current": command.current}
                does[operation](*(config, up_to or "head")[: 1 if operation == "current" else 2])
        finally:
            told.removeHandler(handler)
        self.log.write_text(said.getvalue())
        return JobResult(0, 1.0, last_lines=said.getvalue())

    def current(self):
        return sorted(line.split(" ")[0] for line in self.ask("current").last_lines.splitlines() if line[0].isdigit())


MIGRATION = Migration(tool="alembic", image="web")


@pytest.fixture
def revisions(tmp_path):
    return Revisions(tmp_path)


def test_one_that_merges_is_pending_and_applied_with_what_is_before_what_waits(revisions):
    revisions.write(MERGED)
    done = carry_out(MIGRATION, revisions.ask, revisions.log, waits={"004"})

    assert revisions.current() == ["003"]
    assert done.waiting == ("004 step 004",)
    assert {one.partition(" ")[0] for one in done.applied} == {"001", "002a", "002b", "003"}


def test_all_that_is_told_as_applied_is_where_two_branches_end_before_what_waits(revisions):
    revisions.write(APART)
    done = carry_out(MIGRATION, revisions.ask, revisions.log, waits={"004"})

    assert revisions.current() == ["002a", "003b"]
    assert {one.partition(" ")[0] for one in done.applied} == {"001", "002a", "002b", "003b"}


def test_a_label_or_a_dependency_hides_none(revisions):
    revisions.write(
        {**MERGED, "001": None, "005": "004"},
        needs={"002b": "002a"},
        labels={"001": ("feat-x", "other")},
    )
    parts = pending_parts(MIGRATION, revisions.ask("pending"), revisions.log, {"005"})

    assert [one.partition(" ")[0] for one in parts.applied] == ["001", "002a", "002b", "003", "004"]
    assert parts.up_to == ("004",)


@pytest.mark.parametrize(
    ("old", "heads"), [(("001",), ["001"]), (("002a", "002b"), ["002a", "002b"]), ((), [])], ids=["one", "two", "none"]
)
def test_what_merges_is_taken_back_to_where_the_schema_was(revisions, old, heads):
    revisions.write(MERGED)
    for name in old:
        revisions.ask("apply", 1, name)
    way = pending_parts(MIGRATION, revisions.ask("pending"), revisions.log, ())
    revisions.ask("apply", 1, "head")
    for name in way.back_to:
        revisions.ask("revert", len(way.applied), name)

    assert revisions.current() == heads

"""How a schema is brought up to date by a tool that says things one after another: locks, what waits, what is left."""

import pytest

from delivery.changes.migration import carry_out
from delivery.errors import Rejected
from delivery.ports.jobs import JobResult
from delivery.spec.database import Migration
from tests.delivery.migrations.test_tools import LIQUIBASE

HELD = LIQUIBASE["locked"].replace("locked by other", "locked by a1b2#headway-migrate-6 (10.0.0.2)")
WAITS = frozenset({"changelog.sql::2::ada"})


@pytest.fixture
def liquibase(tmp_path):
    """A function that has Liquibase say these things; it returns what came of it, and what the tool was asked."""

    def carried_out(*said, waits=frozenset(), left=()):
        log, asked, ahead, unfinished = tmp_path / "log", [], list(said), list(left)

        def ask(operation, count, up_to):
            asked.append(f"{operation} {count}" if up_to else operation)
            code, text = ahead.pop(0)
            log.write_text(text)
            return JobResult(code, 1.0, last_lines=text)

        def drop():
            asked.append("drop")
            return unfinished.pop(0) if unfinished else ()

        migration = Migration(tool="liquibase", image="web")
        try:
            return carry_out(migration, ask, log, waits=waits, drop_unfinished=drop), asked
        except Rejected as error:
            return str(error), asked

    return carried_out


def test_a_lock_that_a_run_left_is_taken_away_and_the_schema_brought_up_to_date(liquibase):
    done, asked = liquibase((1, HELD), (0, "released"), (0, "updated"))

    assert asked == ["drop", "apply", "unlock", "apply"]
    assert (done.seconds, done.applied) == (1.0, ())


def test_a_lock_that_a_run_left_is_taken_away_although_a_migration_waits(liquibase):
    done, asked = liquibase((0, LIQUIBASE["pending"]), (1, HELD), (0, "released"), (0, "updated"), waits=WAITS)

    assert asked == ["drop", "pending", "apply 1", "unlock", "apply 1"]
    assert done.waiting == ("changelog.sql::2::ada",)


@pytest.mark.parametrize(
    "said", [LIQUIBASE["locked"], HELD.replace("headway-migrate-6", "somebody")], ids=["of nobody known", "of another"]
)
def test_a_lock_that_may_be_held_is_left_alone(liquibase, said):
    refused, asked = liquibase((1, said))

    assert "unlock" not in asked
    assert "next: wait for what holds the lock" in refused


def test_a_lock_that_can_not_be_taken_away_is_told(liquibase):
    refused, asked = liquibase((1, HELD), (1, LIQUIBASE["unreachable"]))

    assert asked == ["drop", "apply", "unlock"]
    assert "the lock that headway-migrate-6 left could not be taken away: Connection could not be created" in refused


def test_a_migration_that_failed_is_not_asked_again_for_as_many_as_before(liquibase):
    """The same count would reach beyond what waits by what the first attempt committed."""
    failed = (1, LIQUIBASE["failed"].replace("does not exist", "already exists"))
    refused, asked = liquibase((0, LIQUIBASE["pending"]), failed, waits=WAITS, left=[(), ("public.titles",)])

    assert asked == ["drop", "pending", "apply 1", "drop"]
    assert refused.endswith("dropped, for it was left half done: public.titles")


@pytest.mark.parametrize("code", [1, None], ids=["failed", "took too long"])
def test_what_a_migration_left_half_done_is_dropped_and_told(liquibase, code):
    refused, asked = liquibase((code, LIQUIBASE["failed"]), left=[(), ("public.titles",)])

    assert asked == ["drop", "apply", "drop"]
    assert refused.endswith("dropped, for it was left half done: public.titles")


def test_what_was_left_half_done_before_is_dropped_before_the_tool_takes_it_for_whole(liquibase):
    done, asked = liquibase((0, "updated"), left=[("public.titles",)])

    assert asked == ["drop", "apply"]
    assert done.applied == ()

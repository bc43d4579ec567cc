"""A run whose process died is told from one that lives."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from delivery.changes.lease import LeaseBook
from delivery.changes.presence import Presence, Roll, end_leases_of_the_dead


def test_a_run_of_this_process_lives(tmp_path: Path) -> None:
    roll = Roll(tmp_path)
    assert roll.enter("r1").is_alive
    assert roll.alive() == {"r1"}


def test_a_run_that_ended_is_forgotten(tmp_path: Path) -> None:
    roll = Roll(tmp_path)
    roll.enter("r1")
    roll.leave("r1")
    assert roll.find("r1") is None
    assert roll.alive() == set()


def test_a_run_of_a_killed_process_is_found_dead(tmp_path: Path) -> None:
    imports = "import os; from pathlib import Path; from delivery.changes.presence import Roll"
    code = f"{imports}; Roll(Path({str(tmp_path)!r})).enter('r1'); os._exit(9)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3])
    found = Roll(tmp_path).find("r1")
    assert found is not None
    assert not found.is_alive


def test_another_process_with_the_same_number_is_not_mistaken(tmp_path: Path) -> None:
    mine = Roll(tmp_path).enter("r1")
    assert not Presence(run="r1", process=mine.process, started=mine.started - 100).is_alive


def test_each_attempt_is_counted(tmp_path: Path) -> None:
    roll = Roll(tmp_path)
    assert [roll.enter("r1").attempts, roll.enter("r1").attempts] == [1, 2]


def carried_by_nobody(roll: Roll, run: str) -> Presence:
    dead = Presence(run=run, process=2**22 + 1, started=0)
    roll.root.mkdir(parents=True, exist_ok=True)
    (roll.root / f"{run}.json").write_text(dead.model_dump_json())
    return dead


def test_the_dead_are_told_from_the_living_until_somebody_looked_after_them(tmp_path: Path) -> None:
    roll = Roll(tmp_path)
    roll.enter("alive")
    dead = carried_by_nobody(roll, "dead")
    before = roll.unattended()

    roll.attend(dead)

    assert before == [dead]
    assert roll.unattended() == []
    assert [presence.run for presence in roll.dead()] == ["dead"]


def test_a_run_that_somebody_carries_again_is_not_marked(tmp_path: Path) -> None:
    roll = Roll(tmp_path)
    dead = carried_by_nobody(roll, "r1")
    again = roll.enter("r1")

    roll.attend(dead)

    assert roll.find("r1") == again


def test_one_looks_after_the_dead_and_the_others_do_not_wait(tmp_path: Path) -> None:
    roll = Roll(tmp_path)

    with roll.alone() as first, Roll(tmp_path).alone() as second:
        assert (first, second) == (True, False)
    with roll.alone() as next_one:
        assert next_one


def test_only_the_leases_of_the_dead_are_ended(tmp_path: Path) -> None:
    roll, leases = Roll(tmp_path / "roll"), LeaseBook(tmp_path / "leases")
    roll.enter("alive")
    carried_by_nobody(roll, "dead")
    for environment, holder in (("production", "dead"), ("staging", "alive"), ("test", "unknown")):
        leases.take("shop", environment, holder=holder, reason="release a")

    ended = end_leases_of_the_dead(leases, roll)

    assert [lease.environment for lease in ended] == ["production"]
    assert [lease.environment for lease in leases.all() if not lease.is_held(datetime.now(UTC))] == ["production"]

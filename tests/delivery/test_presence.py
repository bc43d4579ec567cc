"""A run whose process died is told from one that lives."""

import subprocess
import sys
from pathlib import Path

from delivery.presence import Presence, Roll


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
    imports = "import os; from pathlib import Path; from delivery.presence import Roll"
    code = f"{imports}; Roll(Path({str(tmp_path)!r})).enter('r1'); os._exit(9)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    found = Roll(tmp_path).find("r1")
    assert found is not None
    assert not found.is_alive


def test_another_process_with_the_same_number_is_not_mistaken(tmp_path: Path) -> None:
    mine = Roll(tmp_path).enter("r1")
    assert not Presence(run="r1", process=mine.process, started=mine.started - 100).is_alive


def test_each_attempt_is_counted(tmp_path: Path) -> None:
    roll = Roll(tmp_path)
    assert [roll.enter("r1").attempts, roll.enter("r1").attempts] == [1, 2]

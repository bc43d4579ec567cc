"""Migrations as data: what a rehearsal says of each against what is true of it, and what the linter alone says."""

from functools import partial
from pathlib import Path

import pytest
import yaml

from delivery.changes.ledger import LABEL_PLATFORM
from delivery.docker.engine.client import connect
from delivery.docker.engine.sweep import remove_labelled
from delivery.programs import squawk
from tests.support.rehearsals import home_in, rehearsed, version

FOLDER = Path(__file__).with_name("migrations")
CASES = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
pytestmark = pytest.mark.docker


@pytest.fixture
def rehearse(tmp_path):
    """A function that rehearses on a platform of its own."""
    home = home_in(tmp_path)
    yield partial(rehearsed, home, tmp_path)
    remove_labelled(connect(), {LABEL_PLATFORM: home.identity})


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_a_rehearsal_tells_what_a_migration_does_to_the_old_code(name, rehearse, record_property):
    case = yaml.safe_load(CASES[name].read_text())
    old = version(case["schema"], case["old"])
    new = version(case["migration"], case["new"], down=case.get("down", ""))
    shown = rehearse(old, new)
    found = squawk.lint([case["migration"]], "15.0", in_transaction=False)

    record_property("expected", case["rollback"])
    record_property("verdict", shown.rollback)
    record_property("lint", len({one.rule for one in found}))
    assert shown.rollback == case["rollback"], shown

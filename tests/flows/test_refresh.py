"""The database of staging gets the data of production, masked; what fails leaves it as it was."""

import pytest

from delivery.errors import Interrupted, Rejected, ReleaseUnhealthy
from delivery.memory.behaviour import memory_state
from delivery.spec.masking import Masking, TableMasking
from flows.backup import backup
from flows.refresh import refresh
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]
NAMED = Masking(tables={"rows": TableMasking(columns={"mail": "hash"})}, file="masking.yaml")
NOTHING = Masking(file="masking.yaml")
TO_STAGING = {"app": "shop", "environment": "staging", "source": "production"}
PROVEN = {"app": "shop", "environment": "production"}


@pytest.fixture
def staging(platform, monkeypatch):
    """A release is live in two environments, and the database of production has a row with an address."""
    monkeypatch.setattr("tasks.database.RECOVER_SECONDS", 0)
    policy = {"target": MEMORY, "watch": {"seconds": 0.1}}
    platform.describe(
        services={"web": {"port": 8000, "start_seconds": 1}},
        database={"migrate": {"image": "web"}},
        environments={"production": policy, "staging": policy},
    )
    for environment in ("production", "staging"):
        platform.put_live(1, environment)
    memory_state("shop", "production").databases["app"] = ("anna@shop.example", "b")
    place = memory_state("shop", "staging")
    place.databases["app"] = ("own",)
    return place


def test_staging_has_the_rows_of_production_masked_and_its_own_stay_beside(platform, staging):
    platform.run(backup, PROVEN)
    staging.databases["app_refreshed_20300102030405"] = ("of a run that died",)

    masked, replaced = platform.run(refresh, TO_STAGING | {"masking": NAMED}).error

    rows = staging.databases["app"]
    assert (len(rows), rows[1], masked.columns) == (2, "b", 1)
    assert "anna" not in str(staging.databases)
    assert staging.databases == {"app": rows, replaced.kept_as: ("own",)}
    last = platform.journal("staging").entries()[-4:]
    assert [(one.verb, one.stage) for one in last] == [
        ("restore", "intent"),
        ("restore", "done"),
        ("use-database", "intent"),
        ("use-database", "done"),
    ]
    assert memory_state("shop", "production").databases["app"] == ("anna@shop.example", "b")


def test_without_a_proven_backup_or_with_something_unnamed_staging_is_as_it_was(platform, staging):
    unproven = platform.run(refresh, TO_STAGING | {"masking": NAMED})
    platform.run(backup, PROVEN)
    unnamed = platform.run(refresh, TO_STAGING | {"masking": NOTHING})

    assert isinstance(unproven.error, Rejected)
    assert "next: headway backup --environment production" in str(unproven.error)
    assert isinstance(unnamed.error, Rejected)
    assert "masking.yaml does not say what becomes of" in str(unnamed.error)
    assert staging.databases == {"app": ("own",)}


@pytest.mark.long
def test_an_application_that_is_not_well_with_the_new_data_has_its_own_again(platform, staging):
    platform.run(backup, PROVEN)
    live = platform.release(1).fingerprint

    def be(verb):
        if verb.startswith("use app_refreshed"):
            staging.behaviour.answers[live, "/"] = 500

    staging.behaviour.during = be

    run = platform.run(refresh, TO_STAGING | {"masking": NAMED})

    assert isinstance(run.error, ReleaseUnhealthy)
    assert staging.databases["app"] == ("own",)


@pytest.mark.long
def test_what_a_refresh_that_was_stopped_left_is_gone_after_the_next(platform, staging):
    platform.run(backup, PROVEN)

    def stop(verb):
        if verb.startswith("refresh"):
            staging.behaviour.during = lambda verb: None
            raise Interrupted("the process ends here")

    staging.behaviour.during = stop
    platform.run(refresh, TO_STAGING | {"masking": NAMED})
    [left] = [name for name in staging.databases if name != "app"]

    platform.run(refresh, TO_STAGING | {"masking": NAMED})

    assert left.startswith("app_refreshed_")
    assert not [name for name in staging.databases if name == left or "_refreshed_" in name]

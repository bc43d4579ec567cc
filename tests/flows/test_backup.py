"""The database on the way of a release, and its backups."""

import pytest

from blocks.environment import DeliveryEnvironment, block_name
from delivery.errors import Rejected
from delivery.memory.behaviour import memory_state
from delivery.ports.drills import Drill
from flows.verify_backup import verify_backups
from tests.delivery.values import NOON
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

REGISTRY = "registry:5000"  # of the platform's block
PROVEN = {"target": MEMORY, "prove_backup": True}


@pytest.fixture(autouse=True)
def database(platform):
    environments = {"staging": {"target": MEMORY}, "production": PROVEN}
    platform.describe(database={"migrate": {"image": "web"}}, environments=environments)


def evidence_of(platform, environment="production"):
    return [found.kind for found in platform.archive.evidence(platform.live(environment))]


def test_the_first_release_is_migrated_and_then_its_backup_is_proven(platform):
    run = platform.put_live(1)

    assert run.state.is_completed(), run.ended
    assert platform.containers.databases["production"] == [f"{REGISTRY}/{web_of(platform)}"]
    assert platform.containers.calls["restore production"] == 1
    assert evidence_of(platform) == ["restore"]


def web_of(platform):
    return platform.release(1).images["web"]


@pytest.mark.long
def test_a_release_runs_from_the_registry_that_its_environment_has(platform, elsewhere):
    platform.put_live(1)

    assert platform.containers.databases["production"] == [f"{elsewhere}/{web_of(platform)}"]


@pytest.fixture
def elsewhere():
    """The address of a registry that production alone pulls its images from."""
    name, address = block_name("shop", "production"), "registry.example.com/our"
    DeliveryEnvironment(registry=address).save(name, overwrite=True, _sync=True)
    yield address
    DeliveryEnvironment.delete(name, _sync=True)


def test_a_backup_that_cannot_be_restored_stops_the_migration(platform):
    platform.put_live(1)
    platform.containers.damaged.add("production")

    run = platform.put_live(2)

    assert isinstance(run.error, Rejected)
    assert "the backup of production cannot be restored as it was: table orders" in str(run.error)
    assert len(platform.containers.databases["production"]) == 1
    assert platform.live() == platform.release(1)


def test_a_migration_that_fails_keeps_the_release_out(platform):
    platform.put_live(1)
    platform.containers.fail("migrate production", Rejected("the migration failed: exit code 1"))

    run = platform.put_live(2)

    assert str(run.error) == "the migration failed: exit code 1"
    assert platform.live() == platform.release(1)
    assert platform.leases.read("shop", "production").holder is None


def test_a_database_that_is_gone_is_told_and_no_empty_one_takes_its_place(platform):
    platform.put_live(1)
    state = memory_state("shop", "production")
    platform.containers.during["restore production"] = lambda: setattr(state, "database", None)

    run = platform.put_live(2)

    assert isinstance(run.error, Rejected)
    assert str(run.error) == "the database of production is gone since it was started"
    assert state.database is None
    assert platform.live() == platform.release(1)


def test_every_night_every_backup_is_proven(platform):
    platform.put_live(1)
    platform.put_live(2, "staging")

    run = platform.run(verify_backups, {})

    assert [proof.outcome for proof in run.error] == ["pass", "pass"]
    assert evidence_of(platform, "staging") == ["restore"]


@pytest.mark.long
def test_a_backup_that_differs_hides_none_of_the_others(platform):
    platform.put_live(1)
    platform.put_live(2, "staging")
    platform.containers.damaged |= {"production"}
    proven = platform.containers.calls["restore staging"]

    run = platform.run(verify_backups, {})

    assert isinstance(run.error, Rejected)
    assert "the backup of production" in str(run.error)
    assert platform.containers.calls["restore staging"] == proven + 1


def test_all_backups_that_differ_are_told(platform):
    platform.put_live(1)
    platform.put_live(2, "staging")
    platform.containers.damaged |= {"production", "staging"}

    run = platform.run(verify_backups, {})

    assert str(run.error).count("cannot be restored as it was") == 2


@pytest.fixture
def archived(platform):
    """A function that lets the archive of production show this in its next drill."""
    backups = {"any_second": True}
    platform.describe(
        database={"image": "postgres:15"}, environments={"production": {"target": MEMORY, "backups": backups}}
    )
    assert platform.put_live(1).state.is_completed()

    def show(outcome, **more):
        drill = Drill(at=NOON, outcome=outcome, **more)
        memory_state("shop", "production").behaviour.drill = lambda: drill

    return show


@pytest.mark.parametrize(
    ("outcome", "more", "says"),
    [
        ("fail", {"problems": ("task is missing in the copy",)}, "fail: task is missing in the copy"),
        ("broken", {"unchecked": ("not checked: the drill itself",)}, "broken: not checked: the drill itself"),
    ],
)
def test_an_archive_that_nobody_could_go_back_to_ends_the_nightly_run(platform, archived, outcome, more, says):
    archived(outcome, **more)
    run = platform.run(verify_backups, {})

    assert not run.state.is_completed()
    assert says in str(run.error)


def test_a_drill_that_passes_is_part_of_the_nightly_run(platform, archived):
    archived("pass")

    assert platform.run(verify_backups, {}).state.is_completed()

"""Migrations that shrink a schema wait until nobody can want to go back, and run then."""

import json
import shutil
from dataclasses import dataclass, field

import pytest

from delivery.errors import Rejected
from delivery.memory.behaviour import Program, memory_state
from delivery.ports.rehearsals import Rehearsed
from delivery.releases.rehearsal import CodeOnSchema
from flows.backup import backup
from flows.contract import contract, migrations
from flows.rollback import rollback
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]
WHERE = {"app": "shop", "environment": "production"}
FILES = {"V1__tasks.sql": "create table task (title text);\n", "V2__done.sql": "alter table task add done boolean;\n"}
DROPS = "-- headway: contract\nalter table task drop column title;\n"


@dataclass
class Flyway:
    """What Flyway would say of the files of the release that asks it; `done` are the versions that it applied."""

    files: dict[str, str]
    done: list[str] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, job):
        if job.name != "migrate":
            return Program()
        self.asked.append(job.command)
        versions = sorted(name[1 : name.index("__")] for name in self.files)
        target = next((word.partition("=")[2] for word in job.command if word.startswith("-target=")), versions[-1])
        new = [one for one in versions if one not in self.done]
        if "migrate" in job.command:
            new = [one for one in new if one <= target]
            self.done += new
        told = [{"version": one, "state": "Pending" if one in new else "Success"} for one in versions]
        applied = [one for one in told if one["version"] in new]
        return Program(prints=json.dumps({"migrations": applied if "migrate" in job.command else told}))


@pytest.fixture
def flyway(platform):
    """What runs in production, from the first release on; a contract is due at once, or never, by `describe`."""
    tool = Flyway(dict(FILES))
    memory_state("shop", "production").behaviour.run = tool.run
    describe(platform, tool, 86400)
    assert platform.deliver().state.is_completed()
    return tool


def describe(platform, tool, seconds):
    folder = platform.project / "migrations"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tool.files.items():
        (folder / name).write_text(text)
    migrate = {"tool": "flyway", "image": "web", "files": "migrations", "rehearsal": {"enabled": False}}
    production = {"target": MEMORY, "contract_after_seconds": seconds}
    platform.describe(database={"migrate": migrate}, environments={"production": production})


def add(platform, tool, name, text, seconds=86400):
    tool.files[name] = text
    describe(platform, tool, seconds)


def prove(platform):
    """Let a backup be taken and restored, as what takes data away needs one."""
    assert platform.run(backup, WHERE).state.is_completed()


def test_a_contract_waits_with_its_release_and_what_is_built_on_it_as_well(platform, flyway):
    flyway.files["V3__drop_titles.sql"] = DROPS
    add(platform, flyway, "V4__more.sql", "select 1;\n")
    run = platform.deliver()

    assert run.state.is_completed(), run.ended
    assert flyway.done == ["1", "2"]
    assert platform.live().contracts == ("3",)


def test_what_comes_before_it_runs_at_once(platform, flyway):
    flyway.files["V3__more.sql"] = "select 1;\n"
    add(platform, flyway, "V4__drop_titles.sql", DROPS)
    platform.deliver()

    assert flyway.done == ["1", "2", "3"]
    assert flyway.asked[-1] == ("-outputType=json", "-target=3", "migrate")


def test_it_runs_with_the_first_delivery_after_its_time(platform, flyway):
    add(platform, flyway, "V3__drop_titles.sql", DROPS, seconds=0)
    platform.deliver()
    before = list(flyway.done)
    prove(platform)
    platform.commit("Change a text")
    platform.deliver()
    platform.commit("Change another")
    again = platform.deliver()

    assert before == ["1", "2"]
    assert flyway.done == ["1", "2", "3"]
    assert [entry.contracted for entry in platform.archive.history("shop", "production")] == [(), (), ("3",), ()]
    assert again.state.is_completed(), again.ended


def test_one_whose_time_has_come_is_not_told_as_run_while_what_it_is_built_on_waits(platform, flyway):
    add(platform, flyway, "V4__drop_titles.sql", DROPS, seconds=0)
    platform.deliver()
    prove(platform)
    add(platform, flyway, "V3__drop_done.sql", DROPS.replace("title", "done"), seconds=0)
    platform.deliver()
    meanwhile = list(flyway.done)
    platform.commit("Change a text")
    platform.deliver()

    assert (meanwhile, flyway.done) == (["1", "2"], ["1", "2", "3", "4"])
    assert [entry.contracted for entry in platform.archive.history("shop", "production")] == [(), (), (), ("3", "4")]


@pytest.mark.long
def test_it_is_rehearsed_before_it_runs_although_no_file_has_changed(platform, flyway):
    add(platform, flyway, "V3__drop_titles.sql", DROPS, seconds=0)
    text = (platform.project / "headway.yaml").read_text().replace("enabled: false", "enabled: true")
    (platform.project / "headway.yaml").write_text(text)
    platform.commit("Rehearse")
    platform.deliver()
    first = [asked.waits["new"] for asked in platform.containers.rehearsed]
    prove(platform)
    platform.commit("Change a text")
    platform.deliver()

    assert first == [frozenset({"3"})]
    assert [asked.waits["new"] for asked in platform.containers.rehearsed[1:]] == [frozenset()]


def test_it_runs_without_a_delivery_when_somebody_says_so_after_a_backup(platform, flyway):
    add(platform, flyway, "V3__drop_titles.sql", DROPS, seconds=0)
    platform.deliver()
    prove(platform)
    unchanged = platform.deliver()
    told = platform.run(migrations, {"app": "shop", "environment": "production"})
    backups = len(memory_state("shop", "production").backups)
    ran = platform.run(contract, {"app": "shop", "environment": "production"})
    again = platform.run(contract, {"app": "shop", "environment": "production"})
    nothing_due = platform.deliver()

    assert unchanged.ended[0] == nothing_due.ended[0] == "Unchanged"
    assert (
        "; what shrinks the schema may run now: 1 migration (3)\n  next: headway database contract"
        in unchanged.ended[1]
    )
    assert nothing_due.ended[1].endswith("is live already, made from the same files")
    assert told.error.pending == ("3",)
    assert told.error.due == ("3",)
    assert ran.error == ("3",)
    assert again.error == ()
    assert flyway.done == ["1", "2", "3"]
    assert len(memory_state("shop", "production").backups) == backups + 1


def test_nothing_takes_data_away_before_a_backup_was_restored(platform, flyway):
    add(platform, flyway, "V3__drop_titles.sql", DROPS, seconds=0)
    platform.deliver()
    live = platform.live()
    by_hand = platform.run(contract, WHERE)
    platform.commit("Change a text")
    delivered = platform.deliver()

    assert isinstance(by_hand.error, Rejected)
    assert delivered.ended[0] == "Rejected"
    for said in (str(by_hand.error), delivered.ended[1]):
        assert "what is marked `contract` (3) does not run in production: no backup was restored" in said
        assert "next: headway backup --environment production" in said
    assert (flyway.done, platform.live()) == (["1", "2"], live)
    assert platform.leases.read("shop", "production").holder is None


@pytest.mark.long
def test_a_delivery_that_proves_a_backup_itself_needs_no_other(platform, flyway):
    add(platform, flyway, "V3__drop_titles.sql", DROPS, seconds=0)
    platform.deliver()
    text = (
        (platform.project / "headway.yaml")
        .read_text()
        .replace("  production:\n", "  production:\n    prove_backup: true\n")
    )
    (platform.project / "headway.yaml").write_text(text)
    platform.commit("Prove")
    platform.deliver()

    assert flyway.done == ["1", "2", "3"]


def test_where_there_was_no_data_none_can_be_lost(platform, flyway):
    add(platform, flyway, "V3__drop_titles.sql", DROPS, seconds=0)
    platform.deliver()
    memory_state("shop", "production").database = None

    assert platform.run(contract, WHERE).error == ("3",)


def test_nothing_runs_before_its_time_whoever_says_so(platform, flyway):
    add(platform, flyway, "V3__drop_titles.sql", DROPS)
    platform.deliver()
    told = platform.run(migrations, {"app": "shop", "environment": "production"})
    ran = platform.run(contract, {"app": "shop", "environment": "production"})

    assert told.error.waiting == ("3",)
    assert told.error.applied == ("1", "2")
    assert ran.error == ()
    assert flyway.done == ["1", "2"]


def test_a_rehearsal_of_the_time_before_it_ran_lets_nobody_go_back(platform, flyway):
    add(platform, flyway, "V3__drop_titles.sql", DROPS, seconds=0)
    text = (platform.project / "headway.yaml").read_text().replace("enabled: false", "enabled: true")
    (platform.project / "headway.yaml").write_text(text)
    platform.commit("Rehearse")
    platform.deliver()
    prove(platform)
    platform.run(contract, {"app": "shop", "environment": "production"})
    cells = [CodeOnSchema(code="old", on=on, outcome=how) for on, how in (("old", "passed"), ("new", "failed"))]
    platform.containers.rehearsal = Rehearsed(cells=tuple(cells))
    platform.containers.rehearsed.clear()
    refused = platform.run(rollback, {"app": "shop"})

    assert refused.ended[0] == "Rejected"
    assert [asked.waits["new"] for asked in platform.containers.rehearsed] == [frozenset()]


@pytest.mark.parametrize("platform", ["folder"], indirect=True)  # it takes a folder away
def test_a_live_release_that_is_not_known_any_more_stops_no_delivery(platform, flyway):
    platform.set_live(7)
    text = (platform.project / "headway.yaml").read_text().replace("enabled: false", "enabled: true")
    (platform.project / "headway.yaml").write_text(text)
    shutil.rmtree(platform.home.root / "store" / "releases" / "shop" / platform.live().fingerprint)
    platform.commit("Rehearse")

    assert platform.deliver().state.is_completed()

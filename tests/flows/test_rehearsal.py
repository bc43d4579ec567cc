"""Migrations are rehearsed before anything is touched, and what was shown decides what a release and a rollback may."""

from dataclasses import replace
from datetime import date

import pytest

from delivery.errors import Rejected
from delivery.memory.behaviour import Program, memory_state
from delivery.ports.rehearsals import Rehearsed
from delivery.releases.change import compare
from delivery.releases.rehearsal import CodeOnSchema, Rehearsal, Statement
from delivery.report.markdown import change_markdown
from flows.backup import backup
from flows.rollback import rollback
from tests.delivery.values import make_release
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]
STATEMENT = Statement(
    sql="alter table task drop column title",
    seconds=0.2,
    lock="ACCESS EXCLUSIVE",
    tables=("public.task",),
    locked_seconds=1.5,
)


def cell(code, on, problem=""):
    return CodeOnSchema(code=code, on=on, outcome="failed" if problem else "passed", problem=problem)


PASSES = (cell("old", "old"), cell("new", "old"), cell("old", "new"), cell("new", "new"))
STRANDS = (cell("old", "old"), cell("new", "old"), cell("old", "new", "no column title"), cell("new", "new"))
SAFE = Rehearsed(cells=PASSES, statements=(STATEMENT,))
STRANDED = Rehearsed(cells=STRANDS, statements=(STATEMENT,), applied=("2 drop titles",))
TAKEN_BACK = Rehearsed(cells=(*STRANDS, cell("old", "reverted")), steps_back=1)


@pytest.fixture
def described(platform):
    """A function that describes the application with a policy for rehearsals, and what its next migrations show."""

    told = []

    def describe(shown=SAFE, **policy):
        platform.containers.rehearsal = shown
        if told and told[-1] == policy:
            return
        told.append(policy)
        migrate = {"image": "web", "files": "migrations", "down": ["back"]} | ({"rehearsal": policy} if policy else {})
        (platform.project / "migrations").mkdir(parents=True, exist_ok=True)
        (platform.project / "migrations" / "0.sql").write_text("select 0;\n")
        platform.describe(database={"migrate": migrate}, environments={"production": {"target": MEMORY}})

    return describe


@pytest.fixture
def shop(platform, described):
    """The same, once a first release is live."""
    described()
    assert platform.deliver().state.is_completed()
    return described


def migrates(platform, number):
    """Commit a migration."""
    (platform.project / "migrations" / f"{number}.sql").write_text(f"select {number};\n")
    platform.commit(f"Migrate {number}")


def lines(platform):
    return [f"{one.verb} {one.stage}" for one in platform.journal().entries()]


def evidence(platform, release):
    return [one for one in platform.archive.evidence(release) if one.kind == "rehearsal"]


def test_the_same_migrations_are_nothing_to_rehearse(platform, shop):
    platform.commit("Change a text")

    assert platform.deliver().state.is_completed()
    assert platform.containers.rehearsed == []


def test_without_files_any_other_image_that_migrates_is_rehearsed(platform, described):
    """Nobody knows which migrations are in it: neither a release nor a rollback may take them for the same."""
    described()
    migrate = {"image": "web", "rehearsal": {"breaking": "tell"}}
    platform.describe(database={"migrate": migrate}, environments={"production": {"target": MEMORY}})
    platform.containers.rehearsal = STRANDED
    assert platform.deliver().state.is_completed()
    platform.commit("Drop a column")
    assert platform.deliver().state.is_completed()
    rehearsed = len(platform.containers.rehearsed)
    back = roll_back(platform)

    assert rehearsed == 1
    assert back.ended[0] == "Rejected"
    assert "no column title" in back.ended[1]


def test_a_release_with_other_migrations_is_rehearsed_with_the_live_code(platform, shop):
    live = platform.live()
    migrates(platform, 1)
    run = platform.deliver()
    (asked,) = platform.containers.rehearsed
    (shown,) = evidence(platform, platform.live())

    assert run.state.is_completed(), run.ended
    assert asked.old.images["web"] == live.images["web"]
    assert asked.new.images["web"] == platform.live().images["web"]
    assert shown.outcome == "pass"
    assert shown.details["statements"][0]["sql"] == STATEMENT.sql
    assert "traffic rollback is safe" in shown.summary


def test_a_release_that_would_strand_the_live_one_is_rejected_before_anything_is_touched(platform, shop):
    shop(STRANDED)
    live, before = platform.live(), lines(platform)
    migrates(platform, 1)
    run = platform.deliver()

    assert run.ended[0] == "Rejected"
    assert "the live code does not run on the new schema" in run.ended[1]
    assert "no column title" in run.ended[1]
    assert "rehearsal.breaking: tell" in run.ended[1]
    assert (platform.live(), lines(platform)) == (live, before)


def test_it_goes_on_where_the_policy_only_wants_it_told(platform, shop):
    shop(STRANDED, breaking="tell")
    migrates(platform, 1)
    run = platform.deliver()

    assert run.state.is_completed(), run.ended
    assert evidence(platform, platform.live())[0].outcome == "fail"


@pytest.mark.parametrize(
    ("shown", "policy", "says"),
    [
        (Rehearsed(problem="exit code 3"), {}, "the migrations failed on a copy (the schema alone): exit code 3"),
        (
            Rehearsed(cells=(*PASSES[:3], cell("new", "new", "no column done"))),
            {"breaking": "tell"},
            "the new code does not run on the new schema: no column done",
        ),
        (SAFE, {"most_locked_seconds": 1}, "public.task would be locked (ACCESS EXCLUSIVE) for 1.50 s (allowed: 1 s)"),
        (SAFE, {"lint": {"rules": {"ban-drop-column": "block"}}}, "ban-drop-column (block)"),
    ],
)
def test_what_else_stops_a_release(platform, shop, shown, policy, says):
    shop(shown, **policy)
    migrates(platform, 1)
    run = platform.deliver()

    assert run.ended[0] == "Rejected"
    assert says in run.ended[1]


def test_a_rule_that_is_waived_lets_it_pass_until_its_day(platform, shop):
    rules = {"rules": {"ban-drop-column": "block"}}
    waiver = {"rule": "ban-drop-column", "reason": "nobody reads it"}
    shop(SAFE, lint=rules | {"waive": [waiver | {"until": "2020-01-01"}]})
    migrates(platform, 1)
    over = platform.deliver()
    shop(SAFE, lint=rules | {"waive": [waiver | {"until": "2999-01-01"}]})
    passed = platform.deliver()

    assert "the waiver ended on 2020-01-01" in over.ended[1]
    assert passed.state.is_completed(), passed.ended


def test_equal_inputs_are_not_rehearsed_twice(platform, shop):
    shop(STRANDED)
    migrates(platform, 1)
    first, again = platform.deliver(), platform.deliver()

    assert (first.ended[0], again.ended[0]) == ("Rejected", "Rejected")
    assert len(platform.containers.rehearsed) == 1


class _LongAfter(date):
    """A calendar of another year."""

    @classmethod
    def today(cls):
        return date(2999, 1, 2)


def test_a_waiver_is_over_for_what_was_rehearsed_before_its_day_as_well(platform, shop, monkeypatch):
    waiver = {"rule": "ban-drop-column", "reason": "nobody reads it", "until": "2999-01-01"}
    shop(STRANDED, lint={"rules": {"ban-drop-column": "block"}, "waive": [waiver]})
    migrates(platform, 1)
    within = platform.deliver()
    monkeypatch.setattr("tasks.rehearsal.date", _LongAfter)
    over = platform.deliver()

    assert "ban-drop-column" not in within.ended[1]
    assert "the waiver ended on 2999-01-01" in over.ended[1]
    assert len(platform.containers.rehearsed) == 1


@pytest.mark.parametrize(
    "shown",
    [
        Rehearsed(problem="the server wrote nothing down"),
        pytest.param(Rehearsed(cells=(*PASSES[:3], cell("new", "new", "did not start"))), marks=pytest.mark.long),
    ],
)
def test_what_may_have_been_a_busy_machine_is_tried_again(platform, shop, shown):
    shop(shown)
    migrates(platform, 1)
    first = platform.deliver()
    shop(SAFE)
    again = platform.deliver()

    assert first.ended[0] == "Rejected"
    assert again.state.is_completed(), again.ended
    assert len(platform.containers.rehearsed) == 2


@pytest.mark.parametrize(
    "shown",
    [
        Rehearsed(inconclusive="the copy could not be made"),
        pytest.param(Rehearsed(cells=(cell("old", "old", "did not start"),)), marks=pytest.mark.long),
    ],
)
def test_what_proved_nothing_for_a_release_is_tried_again_before_a_rollback(platform, shop, shown):
    shop(shown)
    migrates(platform, 1)
    assert platform.deliver().state.is_completed()
    shop(STRANDED)

    assert roll_back(platform).ended[0] == "Rejected"


def test_what_proves_nothing_stops_nothing(platform, shop):
    shop(Rehearsed(cells=(cell("old", "old", "no answer"),)))
    migrates(platform, 1)

    assert platform.deliver().state.is_completed()
    assert evidence(platform, platform.live())[0].outcome == "inconclusive"


def test_nothing_is_rehearsed_where_that_is_off(platform, shop):
    shop(STRANDED, enabled=False)
    migrates(platform, 1)

    assert platform.deliver().state.is_completed()
    assert platform.containers.rehearsed == []


@pytest.fixture
def across(platform, described):
    """A function that puts a release live over a boundary that is as `shown`; it returns it after the earlier one."""

    def go(shown, **migrate):
        described(shown)
        if migrate:
            platform.describe(
                database={"migrate": {"image": "web", **migrate}}, environments={"production": {"target": MEMORY}}
            )
        both = [make_release(number, migrations=f"m{number}") for number in (1, 2)]
        for release in both:
            platform.archive.keep_release(platform.app, release)
            assert platform.loop.run(platform.putting_live(release, f"run-{release.fingerprint}")).is_completed()
        return both

    return go


def roll_back(platform, **more):
    return platform.run(rollback, {"app": "shop"} | more)


@pytest.mark.parametrize(
    ("shown", "ends"), [pytest.param(SAFE, "Completed", marks=pytest.mark.long), (STRANDED, "Rejected")]
)
def test_what_was_rehearsed_when_the_release_came_decides(platform, shop, shown, ends):
    shop(shown, breaking="tell")
    migrates(platform, 1)
    assert platform.deliver().state.is_completed()
    platform.containers.rehearsed.clear()
    run = roll_back(platform)

    assert run.ended[0] == ends
    assert platform.containers.rehearsed == []


def test_a_rollback_that_would_strand_the_old_code_changes_nothing_and_says_what_it_would_lose(platform, across):
    earlier, live = across(STRANDED)
    before, leases = lines(platform), platform.host().observe().sequence
    run = roll_back(platform)

    assert run.ended[0] == "Rejected"
    assert (
        f"{earlier.fingerprint} does not run on the schema that {live.fingerprint} brought (2 drop titles)"
        in run.ended[1]
    )
    assert "no column title" in run.ended[1]
    assert "headway rollback --restore" in run.ended[1]
    assert "loses what was written in the last" in run.ended[1]
    assert (platform.live(), lines(platform), platform.host().observe().sequence) == (live, before, leases)


def test_a_rollback_is_refused_without_a_backup_as_well(platform, across):
    across(STRANDED)
    memory_state("shop", "production").backups.clear()

    assert "no backup of the time before it is kept" in roll_back(platform).ended[1]


def test_who_says_so_goes_back_all_the_same(platform, across):
    earlier, _ = across(STRANDED)

    assert roll_back(platform, override=True).state.is_completed()
    assert platform.live() == earlier


def test_a_backup_of_the_time_before_takes_the_place_of_the_database(platform, across):
    earlier, live = across(STRANDED)
    place = memory_state("shop", "production")
    (before, *_) = sorted(place.backups)
    late = platform.run(rollback, {"app": "shop", "backup": "29990101"})
    done = roll_back(platform, backup=before)

    assert late.ended[0] == "Misconfigured"
    assert f"is none of the time before {live.fingerprint} migrated the database" in late.ended[1]
    assert done.state.is_completed(), done.ended
    assert platform.live() == earlier
    assert [name for name in place.databases if name.startswith("app_until_")] != []


def test_the_newest_backup_of_the_time_before_is_gone_back_to_also_when_a_later_one_is_kept(platform, across):
    earlier, _ = across(STRANDED)
    place = memory_state("shop", "production")
    before = max(place.backups)
    assert platform.run(backup, {"app": "shop", "environment": "production"}).state.is_completed()
    late = max(place.backups)
    refused = roll_back(platform, backup=late)
    done = roll_back(platform, backup="latest")

    assert late > before
    assert f"backup {late} of production of shop: is none of the time before" in refused.ended[1]
    assert done.state.is_completed(), done.ended
    assert platform.live() == earlier
    assert [one.detail.split()[0] for one in platform.journal().entries() if one.verb == "restore"][:1] == [before]


def test_the_database_is_as_it_was_when_the_earlier_release_does_not_come(platform, across):
    earlier, live = across(STRANDED)
    place = memory_state("shop", "production")
    place.behaviour.error_percent[earlier.fingerprint] = 40
    uses = []
    place.behaviour.during = lambda verb: uses.append(verb) if verb.startswith("use ") else None
    run = roll_back(platform, backup="latest")

    assert run.ended[0] == "Withdrawn"
    assert platform.live() == live
    assert [one.partition("_")[2].partition("_")[0] for one in uses] == ["restored", "until"]


def test_what_can_be_taken_back_is_refused_without_the_word_and_done_with_it(platform, across):
    earlier, _ = across(TAKEN_BACK)
    refused = roll_back(platform)
    jobs, run_job = [], memory_state("shop", "production").behaviour.run
    memory_state("shop", "production").behaviour.run = lambda job: (jobs.append(job.command), run_job(job))[1]
    done = roll_back(platform, down=True)

    assert "headway rollback --down" in refused.ended[1]
    assert done.state.is_completed(), done.ended
    assert jobs == [("back",)]
    assert platform.live() == earlier


def test_it_is_taken_back_to_each_version_that_the_rehearsal_came_back_to(platform, across):
    across(replace(TAKEN_BACK, steps_back=3, back_to=("002a", "002b")), tool="alembic")
    jobs, run_job = [], memory_state("shop", "production").behaviour.run
    memory_state("shop", "production").behaviour.run = lambda job: (jobs.append(job.command), run_job(job))[1]
    done = roll_back(platform, down=True)

    assert done.state.is_completed(), done.ended
    assert jobs == [("alembic", "downgrade", "002a"), ("alembic", "downgrade", "002b")]


def test_the_migrations_come_again_when_the_earlier_release_does_not(platform, across):
    earlier, live = across(TAKEN_BACK)
    place = memory_state("shop", "production").behaviour
    place.error_percent[earlier.fingerprint] = 40
    jobs, run_job = [], place.run
    place.run = lambda job: (jobs.append(job.command), run_job(job))[1]
    run = roll_back(platform, down=True)

    assert run.ended[0] == "Withdrawn"
    assert jobs == [("back",), None]
    assert platform.live() == live


def test_a_way_back_that_fails_half_way_is_undone_for_the_live_release_needs_its_schema(platform, across):
    _, live = across(TAKEN_BACK)
    place = memory_state("shop", "production").behaviour
    jobs, run_job = [], place.run

    def run(job):
        jobs.append(job.command)
        return Program(exit_code=3, prints="the second step failed") if job.command else run_job(job)

    place.run = run
    ended = roll_back(platform, down=True)

    assert ended.ended[0] == "Rejected"
    assert "the second step failed" in ended.ended[1]
    assert jobs == [("back",), None]
    assert platform.live() == live


def test_a_boundary_that_nobody_rehearsed_is_rehearsed_before_the_rollback(platform, across):
    earlier, _ = across(SAFE)
    run = roll_back(platform)
    (asked,) = platform.containers.rehearsed

    assert asked.cells == (("old", "old"), ("old", "new"))
    assert run.state.is_completed(), run.ended
    assert platform.live() == earlier


def test_a_place_that_cannot_rehearse_keeps_nobody_from_going_back(platform, across):
    earlier, _ = across(SAFE)
    platform.containers.fail("rehearse", Rejected("no room"))

    assert roll_back(platform).state.is_completed()
    assert platform.live() == earlier


def test_the_approval_says_what_a_rollback_would_need_and_what_was_locked(platform, shop):
    shop(STRANDED, breaking="tell")
    live = platform.live()
    migrates(platform, 1)
    platform.deliver()
    shown = Rehearsal.model_validate(evidence(platform, platform.live())[0].details)
    change = compare(platform.app, "production", platform.live(), live, (), None, shown)
    card = change_markdown(change)

    assert "a rollback needs point-in-time recovery" in card
    assert "| alter table task drop column title | access exclusive | public.task | 0.200 s | 1.500 s |" in card
    assert "old code on new schema: failed: no column title" in card
    assert "ban-drop-column" in card
    assert change.binding != change.model_copy(update={"rehearsal": None}).binding

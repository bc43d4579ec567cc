"""Who dies when is decided by a seed alone, and what is not whole is not called so."""

from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from bench import chaos, chaos_check
from bench.chaos import Found, chosen, figures, kept_before, report, scrubbed, summary_of
from bench.chaos_check import look_at
from bench.chaos_plan import BOUNDARIES, LOCAL, RANDOM_MOMENTS, RECOVERIES, Victim, plan, rounds
from bench.chaos_platform import ENVIRONMENT, Town, describe
from bench.chaos_run import Result
from bench.chaos_watch import Answer, LeaseWatch, Traffic
from bench.chaos_zombie import Awakening
from delivery.changes.journal import Entry, Journal
from delivery.changes.lease import LeaseBook
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.ports.store import FolderStore
from delivery.programs.haproxy_runtime import ServerStat
from tests.delivery.values import make_release

EVERYBODY = [victim for victim in Victim if victim is not Victim.ENGINE]
EACH = len(BOUNDARIES) + RANDOM_MOMENTS


def test_everybody_dies_at_every_line_of_the_journal_before_anybody_does_twice() -> None:
    once = len(RECOVERIES) + (len(EVERYBODY) - 1) * EACH
    kills = plan(7, once, EVERYBODY)
    met = Counter((kill.victim, kill.moment) for kill in kills if kill.moment.verb and kill.then is None)
    assert set(met.values()) == {1}
    assert len(met) == (len(EVERYBODY) - 1) * len(BOUNDARIES)
    assert {str(moment) for _, moment in met} >= {"stage intent", "shift 3 done", "retire done"}
    assert [kill for kill in RECOVERIES if kill in kills] == list(RECOVERIES)


def test_the_engine_is_not_killed_unless_it_is_there_to_be_killed() -> None:
    assert chosen([Victim.WORKER], EVERYBODY) == [Victim.WORKER]
    assert chosen(None, EVERYBODY) == EVERYBODY
    with pytest.raises(Misconfigured, match="--only: dockerd is not there"):
        chosen([Victim.ENGINE], EVERYBODY)


def test_a_seed_alone_decides_the_order() -> None:
    assert plan(7, 90, EVERYBODY) == plan(7, 90, EVERYBODY)
    assert plan(7, 90, EVERYBODY) != plan(8, 90, EVERYBODY)


def test_what_everybody_uses_dies_alone() -> None:
    kills = plan(7, 90, EVERYBODY)
    groups = rounds(kills, 3)
    assert Counter(kill for group in groups for kill in group) == Counter(kills)
    assert {len(group) for group in groups if group[0].victim not in LOCAL} == {1}
    assert max(len(group) for group in groups) == 3


def test_the_longest_time_without_an_answer_counts_from_one_good_answer_to_the_next() -> None:
    answers = [Answer(0, 1.0, "ok", "1"), Answer(0, 1.5, "503", ""), Answer(0, 3.0, "ok", "2")]
    traffic = Traffic([answers])
    assert traffic.gap_ms(0, 0.5, 3.5) == 2000
    assert traffic.failures(0, 0.5, 3.5) == {"503": 1}
    assert traffic.gap_ms(0, 3.5, 5) == 1500  # nobody answered at all


@pytest.fixture
def place(tmp_path):
    """A place with a lease book and a journal, whose engine and router say what a test wants."""
    home = Home(tmp_path)
    releases = (make_release(1, app="chaos-1"), make_release(2, app="chaos-1"))
    town = Town(describe("chaos-1", 2, 1, {}), releases, 1)
    made = SimpleNamespace(home=home, towns=[town], store=FolderStore(home.store), leases=LeaseBook(home.leases))
    made.run_state = lambda run: ("COMPLETED", "Completed", "")
    return made


def hold(place, holder, *, seconds=30.0):
    return LeaseBook(place.home.leases, lease_seconds=seconds).take(
        "chaos-1", ENVIRONMENT, holder=holder, reason="test"
    )


def test_only_what_its_holder_did_not_end_was_abandoned(place) -> None:
    watch, now = LeaseWatch(place), datetime.now(UTC).timestamp()
    place.leases.give_back(_seen(watch, hold(place, "alive"), now))
    watch.look(now + 1)
    assert watch.last_abandoned("chaos-1", now) is None

    _seen(watch, hold(place, "dead"), now + 2)
    watch.look(now + 40)
    ran_out = watch.last_abandoned("chaos-1", now)
    assert ran_out
    assert (ran_out.holder, ran_out.how) == ("dead", "ran out")
    assert ran_out.ended == ran_out.expires


def test_a_lease_that_is_taken_over_ends_then(place) -> None:
    watch, now = LeaseWatch(place), datetime.now(UTC).timestamp()
    _seen(watch, hold(place, "dead", seconds=-1), now - 100)
    hold(place, "recovery")
    watch.look(now + 5)
    taken = watch.last_abandoned("chaos-1", now)
    assert taken
    assert (taken.holder, taken.how, taken.ended) == ("dead", "taken over", now + 5)


def _seen(watch, lease, now):
    watch.look(now)
    return lease


def stand(place, monkeypatch, *, instances, weights, answers="1"):
    """Make the engine, the router and the port tell these things."""
    stats = [
        ServerStat(service="web", server=server, status=status, weight=weight, sessions=0, requests=0)
        for server, (status, weight) in weights.items()
    ]
    written = {("web", server): weight for server, (_, weight) in weights.items()}
    place.engine = None
    monkeypatch.setattr(chaos_check, "instances_of", lambda *_: instances)
    monkeypatch.setattr(
        chaos_check, "find_router", lambda *_: SimpleNamespace(stat=lambda: stats, file=lambda: "written")
    )
    monkeypatch.setattr(chaos_check, "weights_in", lambda _: written)
    monkeypatch.setattr(chaos_check, "_ask", lambda _: answers)


def write(place, *lines, release=None):
    journal = Journal(place.store, "chaos-1", ENVIRONMENT)
    for verb, stage in lines:
        fields = {"at": datetime.now(UTC), "app": "chaos-1", "environment": ENVIRONMENT, "sequence": 1, "run": "r"}
        fields |= {"verb": verb, "stage": stage, "release": release or make_release(1, app="chaos-1")}
        journal.write(Entry.model_validate(fields))


ONE, TWO = (make_release(number, app="chaos-1").fingerprint for number in (1, 2))
WHOLE = {
    "instances": [("blue", ONE, "running"), ("blue", ONE, "running")],
    "weights": {"blue-1": ("UP", 50), "blue-2": ("UP", 50)},
}
ENDED = (("stage", "intent"), ("stage", "done"), ("retire", "intent"), ("retire", "done"))


def test_a_place_with_one_release_in_one_slot_is_whole(place, monkeypatch) -> None:
    place.leases.give_back(hold(place, "run"))
    write(place, *ENDED)
    stand(place, monkeypatch, **WHOLE)

    assert look_at(place, place.towns[0], "run").problems == ()


@pytest.mark.parametrize(
    ("wrong", "mixed", "problem"),
    [
        ({"instances": [("blue", ONE, "running"), ("green", TWO, "running")]}, True, "instances of 2 releases"),
        ({"instances": [("blue", ONE, "running"), ("blue", TWO, "running")]}, True, "instances of 2 releases"),
        ({"weights": {"blue-1": ("UP", 50), "green-1": ("UP", 1)}}, True, "traffic goes to ['blue', 'green']"),
        ({"instances": [("blue", ONE, "running"), ("blue", ONE, "exited")]}, False, "2 running instances"),
        ({"instances": [("blue", ONE, "running")]}, False, "2 running instances"),
        ({"weights": {"blue-1": ("UP", 50), "blue-2": ("DOWN", 50)}}, False, "blue-2 is down"),
        ({"weights": {**WHOLE["weights"], "green-1": ("MAINT", 0)}}, False, "the router knows"),
        ({"answers": "2"}, False, "answers ['2'] instead of ['1']"),
    ],
)
def test_a_place_that_is_not_whole_is_not_called_so(place, monkeypatch, wrong, mixed, problem) -> None:
    place.leases.give_back(hold(place, "run"))
    write(place, *ENDED)
    stand(place, monkeypatch, **(WHOLE | wrong))

    seen = look_at(place, place.towns[0], "run")

    assert seen.is_mixed is mixed
    assert problem in " ".join(seen.problems)


def test_a_mixed_end_is_seen_while_somebody_still_holds_the_lease(place, monkeypatch) -> None:
    hold(place, "dead")
    write(place, ("stage", "intent"))
    stand(place, monkeypatch, **(WHOLE | {"weights": {"blue-1": ("UP", 50), "green-1": ("UP", 50)}}))

    assert look_at(place, place.towns[0], "run", at_all=True).is_mixed
    assert not look_at(place, place.towns[0], "run").is_whole


def test_a_lease_a_journal_and_a_run_without_an_end_are_told(place) -> None:
    hold(place, "dead")
    write(place, ("stage", "intent"), ("stage", "done"), ("shift", "intent"))
    place.run_state = lambda run: ("RUNNING", "Running", "")

    told = " ".join(look_at(place, place.towns[0], "run").problems)

    assert "the lease is held by dead" in told
    assert "the journal ends with shift intent" in told
    assert "the run is Running" in told


def test_what_must_not_be_is_counted() -> None:
    good = Result("flow stage intent", "flow", "stage intent", "chaos-1", to_converged=3.0, requests=100)
    bad = Result("flow stage done", "flow", "stage done", "chaos-1", is_mixed=True, leaks=["orphan x"], gap_ms=5000)
    stuck = Result("worker at 5%", "worker", "at 5%", "chaos-1", stuck_lease=True, failures={"503": 2}, requests=50)

    counted = summary_of([good, bad, stuck])

    assert (good.is_good, bad.is_good, stuck.is_good) == (True, False, False)
    assert counted["not converged"] == 2
    assert (counted["mixed ends"], counted["leaks"], counted["stuck leases"]) == (1, 1, 1)
    assert (counted["requests"], counted["failed requests"]) == (150, 2)
    assert figures([good, bad])["to_converged"] == {"n": 1, "p50": 3.0, "p95": 3.0, "max": 3.0}


def test_a_series_can_be_added_to_what_was_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(chaos, "FILE", tmp_path / "chaos.json")
    flow = Result("flow stage intent", "flow", "stage intent", "chaos-1", to_converged=3.0)
    worker = Result("worker at 5%", "worker", "at 5%", "chaos-1", to_converged=5.0)
    zombie = Awakening("shift 2 intent", 4.0, "this change holds lease 3", "Rejected", nothing_changed=True)
    first, second = {"seed": 1, "places": 4}, {"seed": 2, "places": 2}

    assert kept_before() == Found()
    report(kept_before().plus(Found([first], [flow])))
    report(kept_before().plus(Found([second], [worker], [zombie])))

    assert kept_before() == Found([first, second], [flow, worker], [zombie])


def test_nothing_that_is_kept_names_a_folder_of_the_machine() -> None:
    line = "File /opt/x/lib/python3.11/site-packages/prefect/a.py, HEADWAY_HOME=/tmp/headway-chaos-ab_1c/home/logs"
    assert scrubbed(line) == "File site-packages/prefect/a.py, HEADWAY_HOME=HOME/logs"

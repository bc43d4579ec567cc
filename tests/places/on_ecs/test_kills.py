"""Whoever carries out a release on ECS dies at each request that changes something; recovery ends what is left."""

import pickle
import subprocess
import sys
from dataclasses import replace

import pytest

from delivery.changes.journal import decide_recovery
from tests.architecture.sources import ROOT
from tests.places.on_ecs.victim import SEQUENCE, journal_of
from tests.support.ecs_service import load

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("aws-services"), pytest.mark.long, pytest.mark.timeout(600)]
KILLS = 14  # a release asks for a dozen changes on either way: the last ones are those of nobody who dies


@pytest.fixture
def killed(released, release, tmp_path):
    """Let a release begin, and end at a request; return where that was."""

    def end(number: int, when: str) -> str:
        bare = replace(released, settings=replace(released.settings, registry=None))  # which holds functions
        told = pickle.dumps((bare, tmp_path, release(2), number, when))
        done = subprocess.run(
            [sys.executable, "-m", "tests.places.on_ecs.victim"],
            input=told,
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=300,
        )
        assert done.stdout, done.stderr.decode()[-3000:]
        return done.stdout.decode().splitlines()[-1]

    return end


@pytest.mark.parametrize("deployer", ["ecs", "codedeploy"], scope="class")
@pytest.mark.parametrize("number", range(1, KILLS + 1))
def test_a_release_whose_process_was_killed_is_whole_or_gone_after_recovery(
    number, deployer, released, killed, way, release, tmp_path, record_property
):
    first, second, when = release(1), release(2), "before" if number % 2 else "after"
    with load(way.url) as came:
        where = killed(number, when)
        decision, named = decide_recovery(journal_of(tmp_path, released).entries())
        target = released(SEQUENCE + 1)
        match decision:
            case "retire":
                state = target.retire(named)
            case "withdraw":
                state = target.withdraw(named)
            case _:
                state = target.observe()

    record_property("killed", where)
    record_property("decision", decision)
    web = released(0).ways.of("web")
    runs = {one.definition for one in target.tasks.of_service(web.service)}
    stays = second if decision == "retire" or where == "came to its end" else first
    assert [(slot.release, slot.weight) for slot in state.slots if slot.release] == [(stays, 100)]
    assert runs == {target.record().slots[state.live.colour].definitions["web"]}
    assert target.rollouts(web).open_of(web) is None
    assert sorted(way.shares().values()) == [0, 100]
    assert {one.split()[0] for one in came} == {"200"}, came

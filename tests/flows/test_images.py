"""Images from elsewhere: what cannot be had is told at once, and what is a stand-in is marked as one."""

import pytest

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.releases.release import BaseImage
from flows import runs
from tests.flows.platform import MEMORY, artifacts

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def test_a_release_made_of_stand_ins_is_marked_as_such(platform):
    lacking = BaseImage(
        asked="redis:7", used="headway-base/redis:1", substitute=True, version="redis 7.0.15", lacks=("apt",)
    )
    platform.containers.stand_ins = {"redis:7": lacking}
    platform.describe(backing={"cache": {"image": "redis:7"}, "mail": {"image": "corp/mail:1"}})

    run = platform.deliver()

    record = platform.record(run.id)
    kept = Archive(current_store()).evidence(record.release)
    [marked] = [evidence for evidence in kept if evidence.kind == "bases"]
    assert record.substitutes == (lacking,)
    assert (marked.outcome, marked.summary) == ("inconclusive", "made or tested with stand-ins for redis:7")
    assert "it lacks apt" in marked.details["redis:7"]
    assert "stand-in: redis:7: a stand-in made from Debian 12 packages" in artifacts(run.id)[f"report-{run.id[:8]}"]


def test_all_images_that_cannot_be_had_are_told_before_anything_is_built(platform):
    platform.containers.out_of_reach = {"corp/mail:1", "corp/cache:2"}
    backing = {"cache": {"image": "corp/cache:2"}, "mail": {"image": "corp/mail:1"}, "queue": {"image": "redis:7"}}
    platform.describe(backing=backing)

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert "2 mistakes" in run.ended[1]
    assert "base image corp/mail:1: out of reach" in run.ended[1]
    assert "base image corp/cache:2: out of reach" in run.ended[1]
    assert platform.containers.calls["build web"] == 0


@pytest.mark.long
def test_missing_bases_of_several_dockerfiles_are_told_before_the_first_is_built(platform):
    platform.describe(images={"web": {}, "worker": {}}, suites={"unit": {"build": {"target": "test"}}})
    platform.containers.bases = {
        "images.web": ["corp/node:1"],
        "images.worker": ["corp/perl:2", "corp/node:1"],
        "suites.unit.build": ["corp/ruby:3"],
    }
    platform.containers.out_of_reach = {"corp/node:1", "corp/perl:2", "corp/ruby:3"}

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert "3 mistakes" in run.ended[1]
    assert all(f"base image {name}: out of reach" in run.ended[1] for name in platform.containers.out_of_reach)
    assert platform.containers.calls["build web"] == 0


@pytest.mark.long
def test_the_person_at_the_gate_is_told_of_stand_ins(platform):
    lacking = BaseImage(asked="redis:7", used="headway-base/redis:1", substitute=True)
    platform.containers.stand_ins = {"redis:7": lacking}
    policy = {"by": "person", "timeout_seconds": 5}
    platform.describe(
        backing={"cache": {"image": "redis:7"}}, environments={"production": {"target": MEMORY, "approval": policy}}
    )
    seen = []

    def look_and_reject(run: str) -> None:
        seen.append(runs.question(run))
        runs.answer(runs.look(run), "reject", "ann@example.com", "")

    platform.deliver_while(look_and_reject)

    assert "images: made or tested with stand-ins for redis:7" in seen[0]

"""What goes wrong with a release on ECS, five times each: it is found out, and users are with the old one again."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from delivery.errors import HeadwayError, ReleaseUnhealthy, Transient
from delivery.ports.slots import TargetState
from delivery.releases.release import Release
from delivery.spec.environments import Watch
from tests.places.on_ecs.rooms import Opens, make_app
from tests.support.ecs_service import Way, load, waited

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("aws-services"), pytest.mark.long, pytest.mark.timeout(900)]
TIMES, THROTTLED_SECONDS = 5, 30
MINUTE = (
    "8"  # hooks wait for a quarter of an hour of AWS, and so they do while a release is throttled for seconds of ours
)
PATIENT_SECONDS, FIRST_SEQUENCE = 180.0, 2
# What Headway asks: what AWS asks itself goes on.
ASKED = {
    "ecs": "UpdateService|.*ServiceDeployments?|DescribeServices|DescribeServiceRevisions|.*TaskDefinitions?|ListTasks",
    "codedeploy": ".*",
    "elasticloadbalancing": "DescribeRules",
    "sqs": "ReceiveMessage|DeleteMessage",
}
START_SECONDS = 15  # in which a task is healthy, or never will be
BOTH = pytest.mark.parametrize("deployer", ["ecs", "codedeploy"], scope="class")


@pytest.fixture(scope="class")
def app(deployer):
    described = make_app(deployer)
    web = described.services["web"].model_copy(update={"start_seconds": START_SECONDS})
    return described.model_copy(update={"services": {"web": web}})


@dataclass
class Delivery:
    """One release as a flow carries it out: staged, checked, shifted, watched, confirmed, retired; or withdrawn."""

    target: Any
    release: Release
    at_canary: Callable[[], None] = lambda: None
    check: Callable[[], None] = lambda: None
    watched_seconds: float = 20.0
    fault_at: float = field(default_factory=time.monotonic)
    problem: str = ""

    def carry_out(self) -> TargetState:
        """Return how the environment is afterwards."""
        try:
            _patiently(lambda: self.target.stage(self.target.app, self.release))
            self.check()
            _patiently(lambda: self.target.shift(self.release, 10))
            self.fault_at = time.monotonic()
            self.at_canary()
            self._watch()
            _patiently(lambda: self.target.shift(self.release, 100))
            self._watch()
            _patiently(lambda: self.target.confirm(self.release))
        except HeadwayError as error:
            self.problem = str(error)
            return _patiently(lambda: self.target.withdraw(self.release))
        return _patiently(lambda: self.target.retire(self.release))

    def _watch(self) -> None:
        if not self.watched_seconds:
            return
        seen = self.target.watch(self.release, Watch(min_requests=5), self.watched_seconds)
        if seen.verdict == "unhealthy":
            raise ReleaseUnhealthy(seen.reason)


def _patiently(act: Callable[[], Any]) -> Any:
    """Do it again after what is transient, as a step of a flow does."""
    deadline = time.monotonic() + PATIENT_SECONDS
    while time.monotonic() < deadline:
        with suppress(Transient):
            return act()
    return act()


def stop_by_hand(target: Any, server: Any, deployer: str) -> None:
    """Do what a person does in the console."""
    web = target.ways.of("web")
    found = target.rollouts(web).open_of(web)
    if deployer == "ecs":
        server.client("ecs").stop_service_deployment(serviceDeploymentArn=found.id, stopType="ROLLBACK")
    else:
        server.client("codedeploy").stop_deployment(deploymentId=found.id)


def no_alarm(server: Any) -> bool:
    """Whether no alarm is on: ECS looks at none that was when a deployment began, as `headway check` tells."""
    return not server.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]


def refuse() -> None:
    """Be a check that a release does not pass."""
    raise ReleaseUnhealthy("the check /cart: answers 404, allowed 200")


def is_whole(target: Any, way: Way, server: Any, room: Any, live: Release) -> None:
    """Assert that a release has all users, and that there is nothing of another one."""
    state, web = target.observe(), target.ways.of("web")
    named = {"cluster": room.cluster, "services": [way.name]}
    [service] = server.client("ecs").describe_services(**named)["services"]
    assert [(slot.release, slot.weight) for slot in state.slots if slot.release] == [(live, 100)]
    assert sorted(way.shares().values()) == [0, 100]
    assert target.rollouts(web).open_of(web) is None
    assert len(target.rollouts(web).groups(web)) == 1
    waited(lambda: len(target.tasks.of_service(way.name)) == 1)
    assert service["desiredCount"] == 1


@BOTH
@pytest.mark.parametrize(
    "fault", ["never healthy", "exits", "5xx", "slow", "check fails", "wrong digest", "stopped by a person", "no room"]
)
def test_a_fault_is_found_out_and_users_are_with_the_old_release_again(
    fault, deployer, alarmed: Opens, way: Way, release, server, room, record_property
):
    first, seconds, reasons = release(1), [], []
    kinds = {"never healthy": "sick", "exits": "crashing", "5xx": "erring", "slow": "sluggish", "wrong digest": "liar"}
    for number in range(TIMES):
        waited(lambda: no_alarm(server))
        target = alarmed(FIRST_SEQUENCE + number)
        delivery = Delivery(target, release(2, kind=kinds.get(fault, "good")))
        if fault == "check fails":
            delivery.check = refuse
        elif fault == "stopped by a person":
            delivery.at_canary = lambda target=target: stop_by_hand(target, server, deployer)
        elif fault == "no room":
            none = {"service": "ecs", "operation": "RunTask", "kind": "no capacity", "times": 1000}
            server.put_faults(none)
        with load(way.url) as came:
            try:
                delivery.carry_out()
            finally:
                server.put_faults()
            seconds.append(round(time.monotonic() - delivery.fault_at, 1))
        reasons.append(delivery.problem)
        assert delivery.problem, "it was not found out"
        is_whole(target, way, server, room, first)
        assert {one.split()[0] for one in came} <= ({"200", "500"} if fault == "5xx" else {"200"}), came

    record_property("until_back_seconds", seconds)
    record_property("reason", reasons[-1])


@BOTH
@pytest.mark.parametrize("fault", ["throttled", "answer lost"])
def test_a_good_release_comes_through_what_is_wrong_with_aws(
    fault, deployer, alarmed: Opens, way: Way, release, server, room, record_property
):
    seconds = []
    for number in range(TIMES):
        target, began = alarmed(FIRST_SEQUENCE + number), time.monotonic()
        new = release(2 + number % 2)
        with load(way.url) as came:
            times = 10**6 if fault == "throttled" else 4
            faults = [{"service": one, "operation": what, "kind": fault, "times": times} for one, what in ASKED.items()]
            server.put_faults(*faults)
            timer = threading.Timer(THROTTLED_SECONDS, server.put_faults)
            timer.start()
            delivery = Delivery(target, new, watched_seconds=0)  # what it is to users, others look at
            delivery.carry_out()
            timer.cancel()
            server.put_faults()
        seconds.append(round(time.monotonic() - began, 1))
        assert delivery.problem == ""
        is_whole(target, way, server, room, new)
        assert {one.split()[0] for one in came} == {"200"}, came

    record_property("released_seconds", seconds)

"""What a release on ECS is asked and judged by, however its traffic is moved: what it serves, and what users get."""

import math
import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager

from delivery.aws.access import AwsAccess
from delivery.aws.ecs_look import EcsLook
from delivery.aws.failures import aws_errors
from delivery.aws.instances import Instance, missing_instances
from delivery.aws.questions import NoMetrics, SlotProbes, served_problem
from delivery.aws.starting import Starter, unhealthy
from delivery.aws.target_record import TargetRecord
from delivery.errors import ReleaseUnhealthy
from delivery.ports.database import DatabaseAccess
from delivery.ports.observation import EndedConnections, Fallback, Observation
from delivery.ports.registry import Registry
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.slots import Colour
from delivery.releases.release import Release
from delivery.spec.app import App
from delivery.spec.ecs_target import EcsTarget
from delivery.spec.environments import Environment, Watch
from delivery.traffic.watching import Metrics, TrafficWatch

LOOK_SECONDS = 1.0
Found = Callable[[], DatabaseAccess | None]


class Seldom:
    """A question to AWS that a watch would ask many times a second: the answer counts for some seconds."""

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask, self._said, self._at = ask, "", -math.inf

    def __call__(self) -> str:
        """Return what was said last, or is said now."""
        if time.monotonic() > self._at + LOOK_SECONDS:
            self._said, self._at = self._ask(), time.monotonic()
        return self._said


class EcsVerbs(EcsLook):
    """One environment on ECS, for the holder of lease `sequence`; `database` tells how its database is reached."""

    def __init__(
        self,
        app: App,
        environment: Environment,
        target: EcsTarget,
        settings: EnvironmentSettings,
        access: AwsAccess,
        registry: Registry,
        database: Found,
        *,
        sequence: int,
    ) -> None:
        super().__init__(app, target, settings, access, sequence=sequence)
        self.environment, self.registry, self.database = environment, registry, database
        self.fallback: Fallback | None = None
        self.ended: tuple[EndedConnections, ...] = ()
        self.given_up = threading.Event()

    def guarded(self) -> AbstractContextManager[None]:
        """Turn botocore's errors inside into Headway's."""
        return aws_errors("ecs")

    def close(self) -> None:
        """Nothing is open here."""

    def claim(self) -> None:
        """Make the lease's sequence the highest one that was obeyed."""
        self.book.change(lambda record: record)

    def guard(self, release: Release) -> None:
        """Nobody sends traffic back between two verbs here: shifts and watches see every fault."""
        self.claim()
        self.colour_of(self.record(), release)

    def confirm(self, release: Release) -> None:
        """Ask every instance once more what it serves; ReleaseUnhealthy unless it is this, with all traffic."""
        self.claim()
        record = self.record()
        colour = self.colour_of(record, release)
        if self.fallback:
            raise ReleaseUnhealthy(self.fallback.reason)
        if record.shares.get(colour, 0) < 100:
            less = f"release {release.fingerprint} does not have all traffic"
            raise ReleaseUnhealthy(self.go_back(colour, self.fault(colour) or less))  # why, where AWS says it
        self.unless_it_lies(colour)

    def watch(self, release: Release, window: Watch, seconds: float) -> Observation:
        """Ask both slots and judge; ends early when a task has ended."""
        self.claim()
        record = self.record()
        colour = self.colour_of(record, release)
        probes = SlotProbes(self.instances(record))
        percent = record.shares.get(colour, 0)
        fault = Seldom(lambda: self.fault(colour))
        watch = TrafficWatch(self.metrics(record), probes, colour, percent, window, fault)
        seen = watch.look(seconds)
        if seen.verdict == "unhealthy":
            self.go_back(colour, seen.reason)
        return seen

    def give_up(self) -> None:
        """Let a stage that waits for health in another thread raise Rejected soon; `withdraw` comes next."""
        self.given_up.set()

    @abstractmethod
    def go_back(self, colour: Colour, reason: str) -> str:
        """Give the other slot, when a release stands there, all traffic again; return why."""

    def metrics(self, record: TargetRecord) -> Metrics:
        """Return what counts the requests of users: nobody where there is no load balancer."""
        return NoMetrics()

    def fault(self, colour: Colour) -> str:
        """Say which instance has ended, or nothing."""
        record = self.record()
        missing = missing_instances(record, colour, self.instances(record))
        return next((f"{colour}-{service}-{number} has ended" for service, number in missing), "")

    def starter(self, app: App) -> Starter:
        """Return what describes the services of `app` to ECS."""
        access = self.database() if app.database else None
        return Starter(self.access, self.tasks, app, self.environment, self.settings, self.registry, access)

    def check_served(self, colour: Colour) -> None:
        """Return when every instance of a slot is there and serves its release.

        Raises ReleaseUnhealthy, with the end of its log for one that serves something else.
        """
        if problem := self.fault(colour):
            raise ReleaseUnhealthy(problem)
        for one in self.instances_of(colour):
            if problem := served_problem(one):
                raise unhealthy(self.access, self.tasks, self.settings, one, problem)

    def unless_it_lies(self, colour: Colour) -> None:
        """Return when every instance of a slot serves its release; else traffic goes back."""
        try:
            self.check_served(colour)
        except ReleaseUnhealthy as lie:
            self.go_back(colour, str(lie))
            raise

    def instances_of(self, colour: Colour) -> list[Instance]:
        """Return the instances of one slot."""
        return [one for one in self.instances(self.record()) if one.colour == colour]

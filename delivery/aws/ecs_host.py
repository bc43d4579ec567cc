"""Releases on ECS as tasks at addresses of their own: two slots, one of which is live.

No load balancer is asked: a release has all traffic or none, and which one that is stands in the environment's record
in S3. Whoever uses the application asks there, through `headway status`, or by a name that a team keeps by itself.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from delivery.aws.access import AwsAccess
from delivery.aws.ecs_look import EcsLook
from delivery.aws.failures import aws_errors
from delivery.aws.instances import Instance, missing_instances, stop_slot
from delivery.aws.questions import NoMetrics, SlotProbes, served_problem
from delivery.aws.slot_secret import forget, secret_of
from delivery.aws.starting import Starter, family_of, unhealthy
from delivery.aws.target_record import SlotRecord, TargetRecord
from delivery.errors import Misconfigured, ReleaseUnhealthy
from delivery.ports.belongings import Belonging
from delivery.ports.database import DatabaseAccess
from delivery.ports.observation import EndedConnections, Fallback, Observation
from delivery.ports.registry import Registry
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.slots import Colour, SlotState, TargetState, other
from delivery.releases.release import Release
from delivery.spec.app import App
from delivery.spec.ecs_target import EcsTarget
from delivery.spec.environments import Environment, Watch
from delivery.traffic.watching import TrafficWatch

Found = Callable[[], DatabaseAccess | None]


class EcsHost(EcsLook):
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
        self._given_up = threading.Event()

    def guarded(self) -> AbstractContextManager[None]:
        """Turn botocore's errors inside into Headway's."""
        return aws_errors("ecs")

    def close(self) -> None:
        """Nothing is open here."""

    def claim(self) -> None:
        """Make the lease's sequence the highest one that was obeyed."""
        self.book.change(lambda record: record)

    def stage(self, app: App, release: Release) -> SlotState:
        """Run `release` in the idle slot until every instance is healthy and serves it."""
        record = self.book.change(lambda found: found)
        if (there := self.observe().slot_of(release)) and there.healthy:
            return there
        colour: Colour = other(record.live) if record.live else "blue"
        self._clear(colour, "it makes room for the next release")
        services = {name: one.model_copy(update={"env": {}}) for name, one in app.services.items()}
        slot = SlotRecord(release=release, services=services, sequence=self.sequence)
        self.book.change(lambda found: found.with_slot(colour, slot))
        access = self.database() if app.database else None
        starter = Starter(self.access, self.tasks, app, self.environment, self.settings, self.registry, access)
        references = starter.references(release, colour)
        for level in app.start_levels():
            new = [
                one for service in level for one in starter.start(release, colour, service, references, self.sequence)
            ]
            for one in new:
                starter.until_ready(one, self._given_up.is_set)
        self._check_served(colour)
        return next(one for one in self.observe().slots if one.colour == colour)

    def shift(self, release: Release, percent: int) -> TargetState:
        """Give `release` all traffic, and read back from every instance what it serves."""
        colour = self._colour_of(self.book.read(), release)
        record = self.book.change(lambda found: found)
        if percent < 100 and other(colour) in record.slots:
            raise Misconfigured(f"shift to {percent} %", "tasks at addresses of their own get all or none", "100 %")
        self.book.change(lambda found: found.with_traffic(colour))
        self._unless_it_lies(colour)
        return self.observe()

    def guard(self, release: Release) -> None:
        """Nobody sends traffic back between two verbs here: shifts and watches see every fault."""
        self.claim()
        self._colour_of(self.book.read(), release)

    def confirm(self, release: Release) -> None:
        """Ask every instance once more what it serves; ReleaseUnhealthy unless it is this, with all traffic."""
        self.claim()
        record = self.book.read()
        colour = self._colour_of(record, release)
        if self.fallback:
            raise ReleaseUnhealthy(self.fallback.reason)
        if record.shares.get(colour, 0) < 100:
            raise ReleaseUnhealthy(self._go_back(colour, f"release {release.fingerprint} does not have all traffic"))
        self._unless_it_lies(colour)

    def watch(self, release: Release, window: Watch, seconds: float) -> Observation:
        """Ask both slots and judge; ends early when a task has ended."""
        self.claim()
        record = self.book.read()
        colour = self._colour_of(record, release)
        probes = SlotProbes(self._instances(record))
        percent = record.shares.get(colour, 0)
        watch = TrafficWatch(NoMetrics(), probes, colour, percent, window, lambda: self._fault(colour))
        seen = watch.look(seconds)
        if seen.verdict == "unhealthy":
            self._go_back(colour, seen.reason)
        return seen

    def give_up(self) -> None:
        """Let a stage that waits for health in another thread raise Rejected soon; `withdraw` comes next."""
        self._given_up.set()

    def withdraw(self, release: Release) -> TargetState:
        """Remove `release`; one that had passed every watch before stays, and what never should have been goes."""
        self._given_up.clear()
        record = self.book.change(lambda found: found)
        if (own := record.colour_of(release)) is not None:
            gone = other(own) if record.settled == release.fingerprint else own
            stays = other(gone)
            if gone in record.slots:
                self.book.change(lambda found: found.with_traffic(stays if stays in found.slots else None))
                self._clear(gone, f"release {release.fingerprint} is withdrawn")
        return self.observe()

    def settle(self, release: Release) -> TargetState:
        """Give `release` all traffic for good; the other slot stays as it is."""
        self._settle(release)
        return self.observe()

    def retire(self, release: Release) -> TargetState:
        """Remove what `release` replaced."""
        self._clear(other(self._settle(release)), f"release {release.fingerprint} replaced it")
        return self.observe()

    def remove(self) -> tuple[Belonging, ...]:
        """Remove every task, definition and secret of the environment, and return them."""
        found = self.belongings()
        if not found:
            return ()
        record = self.book.change(lambda one: one.with_traffic(None))
        for colour in list(record.slots):
            self._clear(colour, "the environment is removed")
        for colour in ("blue", "green"):
            forget(self.access.client("secretsmanager"), secret_of(self.settings, colour))
        self.book.change(lambda one: TargetRecord(sequence=one.sequence))
        return found

    def _settle(self, release: Release) -> Colour:
        colour = self._colour_of(self.book.read(), release)

        def settled(found: TargetRecord) -> TargetRecord:
            new = found.with_traffic(colour)
            if found.settled == release.fingerprint:
                return new
            return new.model_copy(update={"settled": release.fingerprint, "settled_at": datetime.now(UTC)})

        self.book.change(settled)
        return colour

    def _clear(self, colour: Colour, reason: str) -> None:
        """Stop what runs in a slot and forget how it was described.

        The secret stays: the next release in the slot writes its own over it, and to make one again whose name was
        deleted a moment ago may be refused.
        """
        slot = self.book.read().slots.get(colour)
        stop_slot(self.tasks, self.settings, colour, reason)
        for service in slot.services if slot else ():
            self.tasks.forget_definitions(family_of(self.settings, colour, service))
        self.book.change(lambda found: found.with_slot(colour, None))

    def _of(self, colour: Colour) -> list[Instance]:
        return [one for one in self._instances(self.book.read()) if one.colour == colour]

    def _check_served(self, colour: Colour) -> None:
        for one in self._of(colour):
            if problem := served_problem(one):
                raise unhealthy(self.access, self.tasks, self.settings, one, problem)

    def _unless_it_lies(self, colour: Colour) -> None:
        """Return when every instance of a slot serves its release; else traffic goes back."""
        try:
            self._check_served(colour)
        except ReleaseUnhealthy as lie:
            self._go_back(colour, str(lie))
            raise

    def _fault(self, colour: Colour) -> str:
        """Say which instance has ended, or nothing."""
        record = self.book.read()
        missing = missing_instances(record, colour, self._instances(record))
        return next((f"{colour}-{service}-{number} has ended" for service, number in missing), "")

    def _go_back(self, colour: Colour, reason: str) -> str:
        """Give the other slot, when a release stands there, all traffic again; return why."""
        now = datetime.now(UTC)
        if other(colour) in self.book.read().slots:
            self.book.change(lambda found: found.with_traffic(other(colour)))
        self.fallback = Fallback(reason=reason, first_sign=now, traffic_back=datetime.now(UTC))
        return reason

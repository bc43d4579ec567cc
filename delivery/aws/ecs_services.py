"""Releases on ECS as services behind a load balancer, whose traffic ECS itself or CodeDeploy moves, as it is told.

Each release is one deployment of every service; the record in S3 says which definitions are whose, and is the fence.
AWS has no compare-and-set for a service: the lease is checked by a conditional write, then AWS is asked, then it is
read back. Between the first two an older process might still act; docs/aws.md says what that window is.
"""

from datetime import UTC, datetime

from delivery.aws.failures import aws_errors
from delivery.aws.rollouts import Asked
from delivery.aws.service_describing import container_of, define
from delivery.aws.service_look import ServiceLook
from delivery.aws.service_staging import until_staged, until_tested
from delivery.aws.service_ways import ServiceWay
from delivery.aws.slot_secret import forget, secret_of
from delivery.aws.starting import family_of
from delivery.aws.target_record import SlotRecord, TargetRecord
from delivery.errors import Transient
from delivery.ports.belongings import Belonging
from delivery.ports.observation import Fallback
from delivery.ports.slots import COLOURS, Colour, SlotState, TargetState, other
from delivery.releases.release import Release
from delivery.spec.app import App
from delivery.waiting import until

SHARES_SECONDS, GONE_SECONDS, BETWEEN_SECONDS = 120.0, 600.0, 0.5


class EcsServices(ServiceLook):
    """The services of one environment, each with a deployment of its own."""

    def stage(self, app: App, release: Release) -> SlotState:
        """Deploy `release` beside what is live until every task is healthy, and serves it where testers ask."""
        self.claim()
        record = self.record()
        if (there := self.observe().slot_of(release)) and there.healthy:
            return there
        own = record.colour_of(release)
        if own is None or not self.goes_on(record, own):
            own = self._prepare(app, record, release)
        slot = self.book.read().slots[own]
        self._begin(app, slot, at_once=other(own) not in self.book.read().slots)
        starter = self.starter(app)
        for level in app.start_levels():
            for service in level:
                until_staged(self, starter, own, self.ways.of(service), slot)
        self.check_served(own)
        until_tested(self, own)
        return next(one for one in self.observe().slots if one.colour == own)

    def shift(self, release: Release, percent: int) -> TargetState:
        """Give `release` so many users, service by service as they need each other, and read back what is served."""
        self.claim()
        record = self.record()
        colour = self.colour_of(record, release)
        if self.is_replaced(record, colour):
            self._send_back(record, other(colour))
        else:
            slot = record.slots[colour]
            for way in self.reached(slot):
                self.rollouts(way).shift(way, slot.definitions[way.name], percent)
        self.unless_it_lies(colour)
        return self.observe()

    def withdraw(self, release: Release) -> TargetState:
        """Let AWS take `release` back; one that had passed every watch before stays, or comes back."""
        self.given_up.clear()
        self.claim()
        record = self.record()
        if (own := record.colour_of(release)) is None:
            return self.observe()
        if record.settled != release.fingerprint:
            self._send_back(record, own, to_the_end=True)
            self._forget(own)
            if self.settled_colour(record) not in (None, own):
                self._bring_back(record)
        elif other(own) in record.slots and not self.is_replaced(record, other(own)):
            self._send_back(record, other(own), to_the_end=True)
            self._forget(other(own))
        return self.observe()

    def settle(self, release: Release) -> TargetState:
        """Give `release` all traffic for good; what it replaced stands ready for as long as it is to bake."""
        self._settle(release)
        return self.observe()

    def retire(self, release: Release) -> TargetState:
        """Return when what `release` replaced is gone: AWS removes it once its time to stand ready is over."""
        colour = self._settle(release)
        slot = self.record().slots[colour]
        for name, definition in slot.definitions.items():
            self._finish(self.ways.of(name), definition)
        self._forget(other(colour))
        return self.observe()

    def remove(self) -> tuple[Belonging, ...]:
        """Remove every task, definition and secret of releases; services belong to the infrastructure."""
        found = self.belongings()
        if not found:
            return ()
        self.claim()
        record = self.record()
        for colour in record.slots:
            self._send_back(record, colour, to_the_end=True)
        names = {name for slot in record.slots.values() for name in slot.services}
        for way in map(self.ways.of, sorted(names)):
            self._stop(way)
        for colour in COLOURS:
            self._forget(colour)
            forget(self.access.client("secretsmanager"), secret_of(self.settings, colour))
        self.book.change(lambda one: TargetRecord(sequence=one.sequence))
        return found

    def go_back(self, colour: Colour, reason: str) -> str:
        """Give what was live before, when it still stands, all traffic again; return why."""
        now, record = datetime.now(UTC), self.record()
        if other(colour) in record.slots:
            self._send_back(record, colour)
        self.fallback = Fallback(reason=reason, first_sign=now, traffic_back=datetime.now(UTC))
        return reason

    def _prepare(self, app: App, record: TargetRecord, release: Release) -> Colour:
        """Make room, describe every service to ECS, and write down what is about to be deployed."""
        live = self.settled_colour(record) or record.live
        colour: Colour = other(live) if live else "blue"
        if live:  # what it replaced may still stand
            for name, definition in record.slots[live].definitions.items():
                way = self.ways.of(name)
                if (found := self.rollouts(way).find(way, definition)) and found.is_open:
                    self._finish(way, definition)
        for name in app.services:
            self.check_nothing_else(record, self.ways.of(name))
        self._forget(colour)
        starter = self.starter(app)
        references = starter.references(release, colour)
        definitions = {
            service: define(self, starter, release, colour, service, references[service]) for service in app.services
        }
        services = {name: one.model_copy(update={"env": {}}) for name, one in app.services.items()}
        slot = SlotRecord(release=release, services=services, sequence=self.sequence, definitions=definitions)
        self.book.change(lambda found: found.with_slot(colour, slot))
        return colour

    def _begin(self, app: App, slot: SlotRecord, *, at_once: bool) -> None:
        label = f"Headway: release {slot.release.fingerprint} under lease {self.sequence}"
        for service, file in app.services.items():
            way, definition = self.ways.of(service), slot.definitions[service]
            container, port = container_of(self, way, definition) if way.is_reached else ("", 0)
            self.rollouts(way).begin(way, definition, Asked(file.instances, container, port, at_once, label))

    def _finish(self, way: ServiceWay, definition: str) -> None:
        self.rollouts(way).finish(way, definition, 60 + self.environment.keep_warm_seconds)

    def _settle(self, release: Release) -> Colour:
        self.claim()
        record = self.record()
        colour = self.colour_of(record, release)
        slot = record.slots[colour]
        for name, definition in slot.definitions.items():
            way = self.ways.of(name)
            self.rollouts(way).settle(way, definition, slot.services[name].instances)

        def settled(found: TargetRecord) -> TargetRecord:
            if found.settled == release.fingerprint:
                return found
            return found.model_copy(update={"settled": release.fingerprint, "settled_at": datetime.now(UTC)})

        self.book.change(settled)
        return colour

    def _send_back(self, record: TargetRecord, colour: Colour, *, to_the_end: bool = False) -> None:
        """Let the deployments of a slot go back, the last service first; return when no user gets it any more."""
        slot = record.slots[colour]
        ways = [self.ways.of(name) for name in reversed(list(slot.definitions))]
        going = [way for way in ways if self.rollouts(way).send_back(way, slot.definitions[way.name])]
        for way in going if to_the_end else ():
            self.rollouts(way).until_back(way, slot.definitions[way.name])
        if going and not to_the_end:
            until(lambda: self.record().shares.get(colour, 0) == 0, seconds=SHARES_SECONDS, every=BETWEEN_SECONDS)
        stays = record.slots.get(other(colour))
        for way in ways if to_the_end else ():
            if stays and way.name in stays.services:
                count = stays.services[way.name].instances  # ECS goes back, and keeps the new count
                if way.is_reached:
                    self._scale(way, count)
                else:  # it rolled already
                    self.rollouts(way).begin(way, stays.definitions[way.name], Asked(count))
            else:
                self._stop(way)

    def _bring_back(self, record: TargetRecord) -> None:
        """Deploy anew what had passed every watch, where what it replaced had been given its traffic again."""
        colour = self.settled_colour(record)
        assert colour is not None
        settled = record.slots[colour]
        if self.record().shares.get(colour, 0) == 100:
            return
        for name, definition in settled.definitions.items():  # it was sent back, which takes until its tasks are gone
            self.rollouts(self.ways.of(name)).until_back(self.ways.of(name), definition)
        self._forget(colour)
        self.stage(self.app, settled.release)
        self.shift(settled.release, 100)
        self._settle(settled.release)

    def _stop(self, way: ServiceWay) -> None:
        """Let a service run nothing, whoever deployed it last."""
        rollouts = self.rollouts(way)
        if found := rollouts.open_of(way):
            rollouts.send_back(way, found.definition)
            rollouts.until_back(way, found.definition)
        self._scale(way, 0)
        if not until(lambda: not self.tasks.of_service(way.service), seconds=GONE_SECONDS, every=BETWEEN_SECONDS):
            raise Transient(f"the tasks of {way.service} did not stop within {GONE_SECONDS:g} s")

    def _scale(self, way: ServiceWay, count: int) -> None:
        with aws_errors("ecs"):
            self.tasks.client.update_service(
                cluster=self.tasks.settings.cluster, service=way.service, desiredCount=count
            )

    def _forget(self, colour: Colour) -> None:
        for name in self.ways.services:
            self.tasks.forget_definitions(family_of(self.settings, colour, name))
        self.book.change(lambda found: found.with_slot(colour, None))

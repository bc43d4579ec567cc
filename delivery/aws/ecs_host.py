"""Releases on ECS as tasks at addresses of their own: two slots, one of which is live.

No load balancer is asked: a release has all traffic or none, and which one that is stands in the environment's record
in S3. Whoever uses the application asks there, through `headway status`, or by a name that a team keeps by itself.
"""

from datetime import UTC, datetime

from delivery.aws.ecs_verbs import EcsVerbs
from delivery.aws.instances import stop_slot
from delivery.aws.slot_secret import forget, secret_of
from delivery.aws.starting import family_of
from delivery.aws.target_record import SlotRecord, TargetRecord
from delivery.errors import Misconfigured
from delivery.ports.belongings import Belonging
from delivery.ports.observation import Fallback
from delivery.ports.slots import COLOURS, Colour, SlotState, TargetState, other
from delivery.releases.release import Release
from delivery.spec.app import App


class EcsHost(EcsVerbs):
    """Tasks in two slots, each at an address of its own."""

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
        starter = self.starter(app)
        references = starter.references(release, colour)
        for level in app.start_levels():
            new = [
                one for service in level for one in starter.start(release, colour, service, references, self.sequence)
            ]
            for one in new:
                starter.until_ready(one, self.given_up.is_set)
        self.check_served(colour)
        return next(one for one in self.observe().slots if one.colour == colour)

    def shift(self, release: Release, percent: int) -> TargetState:
        """Give `release` all traffic, and read back from every instance what it serves."""
        colour = self.colour_of(self.record(), release)
        record = self.book.change(lambda found: found)
        if percent < 100 and other(colour) in record.slots:
            raise Misconfigured(f"shift to {percent} %", "tasks at addresses of their own get all or none", "100 %")
        self.book.change(lambda found: found.with_traffic(colour))
        self.unless_it_lies(colour)
        return self.observe()

    def withdraw(self, release: Release) -> TargetState:
        """Remove `release`; one that had passed every watch before stays, and what never should have been goes."""
        self.given_up.clear()
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
        for colour in COLOURS:
            forget(self.access.client("secretsmanager"), secret_of(self.settings, colour))
        self.book.change(lambda one: TargetRecord(sequence=one.sequence))
        return found

    def _settle(self, release: Release) -> Colour:
        colour = self.colour_of(self.record(), release)

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
        slot = self.record().slots.get(colour)
        stop_slot(self.tasks, self.settings, colour, reason)
        for service in slot.services if slot else ():
            self.tasks.forget_definitions(family_of(self.settings, colour, service))
        self.book.change(lambda found: found.with_slot(colour, None))

    def go_back(self, colour: Colour, reason: str) -> str:
        """Give the other slot, when a release stands there, all traffic again; return why."""
        now = datetime.now(UTC)
        if other(colour) in self.record().slots:
            self.book.change(lambda found: found.with_traffic(other(colour)))
        self.fallback = Fallback(reason=reason, first_sign=now, traffic_back=datetime.now(UTC))
        return reason

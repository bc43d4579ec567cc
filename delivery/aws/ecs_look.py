"""One environment on ECS, looked at: its tasks, what they say and print; nothing changes."""

from collections.abc import Iterator
from functools import cached_property

from delivery.aws.access import AwsAccess
from delivery.aws.instances import Instance, list_instances, missing_instances, of_service, routes_of
from delivery.aws.questions import ask, is_well, served_version
from delivery.aws.slot_secret import kept_values, secret_of
from delivery.aws.stack_outputs import is_known, task_settings
from delivery.aws.starting import family_of
from delivery.aws.target_record import RecordBook, TargetRecord
from delivery.aws.task_logs import printed
from delivery.aws.tasks import Tasks
from delivery.errors import Misconfigured, ReleaseUnhealthy
from delivery.ports.belongings import Belonging
from delivery.ports.logs import LogLine, LogWish
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.slots import COLOURS, Colour, InstanceState, SlotState, TargetState
from delivery.redaction import Redaction
from delivery.releases.release import Release
from delivery.spec.answer import Answer
from delivery.spec.app import App
from delivery.spec.ecs_target import EcsTarget
from delivery.traffic.served import routed_to


class EcsLook:
    """One environment on ECS, for the holder of lease `sequence`."""

    def __init__(
        self, app: App, target: EcsTarget, settings: EnvironmentSettings, access: AwsAccess, *, sequence: int
    ) -> None:
        self.app, self.target, self.settings, self.access = app, target, settings, access
        self.sequence = sequence

    @cached_property
    def tasks(self) -> Tasks:
        """The tasks of the cluster; Misconfigured while nobody says which that is."""
        return Tasks(self.access.client("ecs"), task_settings(self.target, self.settings))

    @cached_property
    def book(self) -> RecordBook:
        """What is known of the environment beside its tasks."""
        key = f"targets/{self.settings.app}.{self.settings.environment}.json"
        return RecordBook(self.access.client("s3"), self.tasks.settings.bucket, key, self.sequence)

    def observe(self) -> TargetState:
        """Tell what is live, what is staged and how it is; nothing before the infrastructure was applied."""
        if not is_known(self.target, self.settings):
            return TargetState()
        record = self.record()
        instances = self.instances(record)
        slots = tuple(_slot(record, colour, instances) for colour in COLOURS)
        url = self.url(record, instances)
        return TargetState(slots=slots, url=url, sequence=record.sequence, settled_at=record.settled_at)

    def ask(self, path: str, release: Release | None = None, service: str | None = None) -> tuple[Answer, ...]:
        """GET `path` from the service that it leads to in the live slot or of `release`, or from each of `service`."""
        record = self.record()
        colour = self.colour_of(record, release) if release else record.live
        if colour is None:
            return (Answer(),)
        instances = self.instances(record)
        if service is not None:
            return tuple(ask(one, path) for one in of_service(instances, colour, service))
        routed = of_service(instances, colour, routed_to(path, routes_of(record.slots[colour].services)))
        return (ask(routed[0], path) if routed else Answer(),)

    def address(self, release: Release | None = None) -> str:
        """Return where the service that `/` leads to is reached in the network of tasks."""
        record = self.record()
        colour = self.colour_of(record, release) if release else record.live
        found = self._address(record, self.instances(record), colour)
        if found is None:
            where = f"environment {self.settings.environment} of {self.settings.app}"
            raise Misconfigured(where, "nothing is live in it", next_step="headway run")
        return found

    def logs(self, wish: LogWish) -> Iterator[LogLine]:
        """Yield what the tasks of a service printed, oldest first; what is followed comes in the order it is found."""
        record = self.record()
        standing: list[Colour] = list(record.slots) or ["blue"]
        colour = wish.slot or record.live or standing[0]
        running = [one for one in self.instances(record) if one.colour == colour]
        own = [one for one in running if one.service == wish.part]
        if not own:
            where = f"{self.settings.environment} of {self.settings.app}"
            parts = ", ".join(sorted({one.service for one in running}))
            raise Misconfigured(f"logs of {wish.part}", f"nothing of it runs in {where}", parts or "none")
        secrets = self.access.client("secretsmanager")
        hide = Redaction(kept_values(secrets, secret_of(self.settings, colour)))
        logs, group = self.access.client("logs"), self.tasks.settings.log_group
        own_tasks = [one.task for one in own]
        streams = {one.name: one.stream for one in own}
        events = printed(logs, group, streams, wish, lambda: bool(self.tasks.running_of(own_tasks)))
        yield from (LogLine(source=source, text=hide.text(text)) for source, text in events)

    def losses(self, app: App) -> tuple[str, ...]:
        """Return nothing: what tasks write into themselves is not looked at, and nothing else of them is lost."""
        return ()

    def belongings(self) -> tuple[Belonging, ...]:
        """Return the tasks, definitions and secrets of the environment; databases belong to its infrastructure."""
        if not is_known(self.target, self.settings):
            return ()
        record = self.record()
        found = [Belonging(kind="task", name=one.task.arn) for one in self.instances(record)]
        for colour, slot in record.slots.items():
            found += [
                Belonging(kind="task definition", name=arn)
                for service in slot.services
                for arn in self.tasks.definitions(family_of(self.settings, colour, service))
            ]
        client = self.access.client("secretsmanager")
        names = [secret_of(self.settings, colour) for colour in COLOURS]
        return (*found, *(Belonging(kind="secret", name=name) for name in names if kept_values(client, name)))

    def record(self) -> TargetRecord:
        """Return what is known of the environment, with the shares of traffic as they are."""
        return self.book.read()

    def instances(self, record: TargetRecord) -> list[Instance]:
        """Return the instances that have not stopped."""
        return list_instances(self.tasks, self.settings, record)

    def colour_of(self, record: TargetRecord, release: Release) -> Colour:
        """Return the slot of a release; ReleaseUnhealthy when it stands in none."""
        colour = record.colour_of(release)
        if colour is None:
            if self.sequence:
                self.book.change(lambda found: found)  # who slept through the end of a lease misses what others removed
            raise ReleaseUnhealthy(f"release {release.fingerprint} does not stand in any slot; somebody removed it")
        return colour

    def url(self, record: TargetRecord, instances: list[Instance]) -> str | None:
        """Return where what is live is reached."""
        return self._address(record, instances, record.live)

    def _address(self, record: TargetRecord, instances: list[Instance], colour: Colour | None) -> str | None:
        if colour is None:
            return None
        routed = of_service(instances, colour, routed_to("/", routes_of(record.slots[colour].services)))
        with_port = [one for one in instances if one.colour == colour and one.file.port]
        return next((one.url for one in (*routed, *with_port)), None)


def _slot(record: TargetRecord, colour: Colour, instances: list[Instance]) -> SlotState:
    """Return what a slot holds: an instance that is missing is told as one that is not healthy."""
    slot = record.slots.get(colour)
    if slot is None:
        return SlotState(colour=colour, release=None, weight=0)
    own = [one for one in instances if one.colour == colour]
    told = [
        InstanceState(
            service=one.service,
            name=f"{colour}-{one.name}",
            digest=one.task.digest,
            served_digest=served_version(one).get("digest"),
            healthy=is_well(one),
        )
        for one in own
    ]
    told += [
        InstanceState(service=service, name=f"{colour}-{service}-{number}", digest=None, healthy=False)
        for service, number in missing_instances(record, colour, own)
    ]
    return SlotState(colour=colour, release=slot.release, weight=record.shares.get(colour, 0), instances=tuple(told))

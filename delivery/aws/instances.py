"""The instances of a release on ECS: tasks whose tags say everything about them, started by their slot."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from delivery.aws.target_record import TargetRecord
from delivery.aws.task_logs import read_log, stream_of
from delivery.aws.tasks import Task, Tasks
from delivery.changes.ledger import LABEL_SERVICE
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.slots import COLOURS, Colour
from delivery.releases.release import Release
from delivery.spec.services import Service

STOP_AT_ONCE, LOG_LINES = 8, 15


@dataclass(frozen=True)
class Instance:
    """One task of a service in a slot."""

    task: Task
    colour: Colour
    service: str
    number: int
    release: Release
    file: Service

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.service}-{self.number}"

    @property
    def url(self) -> str:
        """Where it is reached in its network."""
        return f"http://{self.task.address}:{self.file.port}"

    @property
    def digest(self) -> str:
        """The digest the release promises for it; empty for an image that is not the application's own."""
        image = self.release.images.get(self.file.image or self.service)
        return image.digest if image else ""

    @property
    def stream(self) -> str:
        """The log stream it writes into."""
        return stream_of(self.service, self.task.program, self.task.id)


def started_by(settings: EnvironmentSettings, colour: Colour) -> str:
    """Return by whom ECS says that the tasks of a slot were started."""
    return f"headway/{settings.app}/{settings.environment}/{colour}"


def list_instances(tasks: Tasks, settings: EnvironmentSettings, record: TargetRecord) -> list[Instance]:
    """Return the instances of both slots that have not stopped, in order of slot, service and number."""
    found = [one for colour in COLOURS for one in _of_slot(tasks, settings, record, colour)]
    return sorted(found, key=lambda one: (one.colour, one.service, one.number))


def stop_slot(tasks: Tasks, settings: EnvironmentSettings, colour: Colour, reason: str) -> None:
    """Stop every task of a slot, each within its time."""
    running = tasks.running(started_by(settings, colour))
    with ThreadPoolExecutor(STOP_AT_ONCE) as pool:
        list(pool.map(lambda task: tasks.stop(task, reason), running))


def last_lines(tasks: Tasks, logs: object, instance: Instance) -> str:
    """Return the end of what an instance printed; secrets are not left out of it."""
    lines = list(read_log(logs, tasks.settings.log_group, instance.stream))
    return "\n".join(lines[-LOG_LINES:])


def of_service(instances: Sequence[Instance], colour: Colour, service: str) -> list[Instance]:
    """Return the instances of one service in a slot."""
    return [one for one in instances if (one.colour, one.service) == (colour, service)]


def missing_instances(record: TargetRecord, colour: Colour, instances: Sequence[Instance]) -> list[tuple[str, int]]:
    """Return service and number of the instances that a slot should have and that do not run any more."""
    slot, there = record.slots.get(colour), {(one.colour, one.service, one.number) for one in instances}
    wanted = ((name, file.instances) for name, file in (slot.services if slot else {}).items())
    return [
        (name, number)
        for name, count in wanted
        for number in range(1, count + 1)
        if (colour, name, number) not in there
    ]


def routes_of(services: Mapping[str, Service]) -> dict[str, str]:
    """Return path prefix, behind a host where one is said → service; a lone service with a port takes `/`."""
    with_port = {name: one for name, one in services.items() if one.port}
    named = {way: name for name, one in with_port.items() for way in one.ways}
    return named or ({"/": next(iter(with_port))} if len(with_port) == 1 else {})


def _of_slot(tasks: Tasks, settings: EnvironmentSettings, record: TargetRecord, colour: Colour) -> Iterator[Instance]:
    slot = record.slots.get(colour)
    if slot is None:
        return
    for task in tasks.running(started_by(settings, colour)):
        service, _, number = task.tags.get(LABEL_SERVICE, "").rpartition("/")
        if service in slot.services:
            yield Instance(task, colour, service, int(number), slot.release, slot.services[service])

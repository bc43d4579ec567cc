"""The instances of a release on ECS: with which definitions they start, and until when they are waited for."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from delivery.aws.access import AwsAccess
from delivery.aws.failures import aws_errors
from delivery.aws.instances import Instance, last_lines, started_by
from delivery.aws.questions import is_well
from delivery.aws.service_definition import service_definition
from delivery.aws.slot_secret import keep, kept_values, secret_of, split
from delivery.aws.tasks import AROUND_SECONDS, Tasks, trouble_of
from delivery.changes.ledger import (
    LABEL_APP,
    LABEL_ENVIRONMENT,
    LABEL_RELEASE,
    LABEL_SEQUENCE,
    LABEL_SERVICE,
    LABEL_SLOT,
)
from delivery.errors import HeadwayError, Rejected, ReleaseUnhealthy
from delivery.ports.database import DatabaseAccess
from delivery.ports.instance_variables import instance_variables
from delivery.ports.registry import Registry
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.slots import Colour
from delivery.redaction import Redaction
from delivery.releases.release import Release
from delivery.spec.app import App
from delivery.spec.environments import Environment
from delivery.waiting import until

BETWEEN_SECONDS = 0.5
SETTLE_SECONDS = 1.0  # a worker that answers nobody must at least run this long


def family_of(settings: EnvironmentSettings, colour: Colour, service: str) -> str:
    """Return what the task definitions of a service in a slot are called."""
    return f"headway-{settings.app}-{settings.environment}-{colour}-{service}"[:255]


def unhealthy(
    access: AwsAccess, tasks: Tasks, settings: EnvironmentSettings, instance: Instance, problem: str
) -> ReleaseUnhealthy:
    """Return the error that says what is wrong with an instance, with the end of its log, without its secrets."""
    hide = Redaction(kept_values(access.client("secretsmanager"), secret_of(settings, instance.colour)))
    lines = hide.text(last_lines(tasks, access.client("logs"), instance))
    which = f"{instance.service} {instance.number} of release {instance.release.fingerprint}"
    return ReleaseUnhealthy(f"{which} {problem}; the end of its log:\n{lines}")


@dataclass(frozen=True)
class Starter:
    """Starts the services of `app` in one environment."""

    access: AwsAccess
    tasks: Tasks
    app: App
    environment: Environment
    settings: EnvironmentSettings
    registry: Registry
    database: DatabaseAccess | None

    def references(self, release: Release, colour: Colour) -> dict[str, dict[str, str]]:
        """Keep the secrets of all services and return service → variable → how its definition refers to it."""
        secret = {service: self.variables(release, service)[1] for service in self.app.services}
        return keep(self.access.client("secretsmanager"), secret_of(self.settings, colour), secret)

    def start(
        self,
        release: Release,
        colour: Colour,
        service: str,
        references: Mapping[str, Mapping[str, str]],
        sequence: int,
    ) -> list[Instance]:
        """Return the instances of a service, which are about to run."""
        file, client = self.app.services[service], self.tasks.client
        asked = service_definition(
            service,
            file,
            self.image(release, service),
            self.tasks.settings,
            family=family_of(self.settings, colour, service),
            region=client.meta.region_name,
            env=self.variables(release, service)[0],
            references=references[service],
            tags=self.tags(release, colour, sequence),
        )
        with aws_errors("ecs"):
            definition = str(client.register_task_definition(**asked)["taskDefinition"]["taskDefinitionArn"])
        by = started_by(self.settings, colour)
        return [
            Instance(
                self.tasks.start(definition, by, number=number, tags={LABEL_SERVICE: f"{service}/{number}"}),
                colour,
                service,
                number,
                release,
                file,
            )
            for number in range(1, file.instances + 1)
        ]

    def image(self, release: Release, service: str) -> str:
        """Return the image of a service, as ECS pulls it."""
        name = self.app.service_image(service)
        return self.registry.reference(release.images[name]) if name in release.images else name

    def tags(self, release: Release, colour: Colour, sequence: int) -> dict[str, str]:
        """Return what says whose a definition is, and under which lease it was made."""
        return {
            LABEL_APP: self.settings.app,
            LABEL_ENVIRONMENT: self.settings.environment,
            LABEL_SLOT: colour,
            LABEL_RELEASE: release.fingerprint,
            LABEL_SEQUENCE: str(sequence),
        }

    def until_ready(self, instance: Instance, given_up: Callable[[], bool]) -> Instance:
        """Return an instance once it is well; ReleaseUnhealthy, with the end of its log, when it is not in its time.

        Its time begins when its program does. Raises Rejected when nobody wants it any more, as `given_up` says.
        """
        begun: list[float] = []

        def look() -> Instance | None:
            now = replace(instance, task=self.tasks.look(instance.task))
            if now.task.has_stopped:
                raise self.ended(now)
            if now.task.is_running and not begun:
                begun.append(time.monotonic())
            if begun and time.monotonic() - begun[0] > instance.file.start_seconds:
                raise unhealthy(
                    self.access,
                    self.tasks,
                    self.settings,
                    now,
                    f"was not healthy within {instance.file.start_seconds} s",
                )
            ready = is_well(now) if now.file.port else bool(begun) and time.monotonic() - begun[0] >= SETTLE_SECONDS
            return now if ready else None

        seconds = AROUND_SECONDS + instance.file.start_seconds
        found = until(look, seconds=seconds, every=BETWEEN_SECONDS, unless=given_up)
        if found is None and given_up():
            raise Rejected(f"{instance.service} was not healthy yet when the release was given up")
        if found is None:
            raise unhealthy(
                self.access, self.tasks, self.settings, instance, f"did not run within {AROUND_SECONDS:g} s"
            )
        return found

    def ended(self, instance: Instance) -> HeadwayError:
        """Return the error that says why an instance stopped."""
        image = self.app.service_image(instance.service)
        trouble = trouble_of(instance.task, image)
        return trouble or unhealthy(
            self.access, self.tasks, self.settings, instance, f"ended with exit code {instance.task.exit_code}"
        )

    def variables(self, release: Release, service: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return an instance's variables, and those that are secret."""
        env = instance_variables(self.app, self.environment, self.settings, release, service, self.database)
        own = self.settings.parts.get(f"services.{service}", {})
        hidden: Sequence[Any] = [*self.settings.secrets.values(), *own.values()]
        return split(env, [*hidden, *([self.database.password] if self.database else [])])

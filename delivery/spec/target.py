"""What stands in headway.yaml about a target, whatever its kind: what it is asked while the file is read."""

from collections.abc import Collection, Iterator, Mapping

from delivery.model import Model
from delivery.spec.entry import Certificate
from delivery.spec.services import Service
from delivery.spec.shift import ShiftPlan


class TargetSettings(Model):
    """A target in headway.yaml: each kind is a class with a `kind` and keys of its own, which inherits this one."""

    def problems(
        self, before: Mapping[str, "TargetSettings"], shift: ShiftPlan, services: Mapping[str, Service]
    ) -> Iterator[str]:
        """Yield what does not fit, each with its key below the environment; nothing where a kind has no such checks.

        `before` are the targets of the environments that come before this one in the file, by name.
        """
        yield from ()

    def backing_problems(self, backing: Collection[str]) -> Iterator[str]:
        """Yield why backing services of these names cannot be there, each with its key below the environment."""
        yield from ()

    def needed_outputs(self, *, database: bool) -> tuple[str, ...]:
        """Return which outputs of the environment's infrastructure it needs, and its database where there is one."""
        return ()

    def reaches(self, registry: str) -> bool:
        """Whether images are pulled from a registry at that address (`host:port`, or `host:port/prefix`)."""
        return True

    def image_host(self) -> str | None:
        """Return where images are looked for, unless the environment's block says it; none: on this machine."""
        return None

    def certificates(self) -> dict[str, Certificate]:
        """Return key below the target → certificate of its HTTPS entry."""
        return {}

"""What a platform has of an application, found without its description: by what is written on the things themselves."""

from typing import Protocol

from delivery.ports.belongings import Belonging


class Inventory(Protocol):
    """Finds, and removes for good, what there is of an application."""

    def environments(self, app: str) -> set[str]:
        """Return the environments of `app` of which there is anything."""
        ...

    def belongings(self, app: str, environment: str) -> tuple[Belonging, ...]:
        """Return what the environment has, what is kept in volumes first; changes nothing."""
        ...

    def remove(self, app: str, environment: str) -> None:
        """Remove all of it; Rejected, with its names, when something stays because something else uses it."""
        ...

    def repositories(self, app: str) -> list[str]:
        """Return the application's repositories in the platform's registry."""
        ...

    def remove_images(self, app: str) -> None:
        """Remove the application's repositories from the registry; layers that others may share stay."""
        ...

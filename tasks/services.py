"""What the platform builds, scans, tests and cleans up with, as the steps use it."""

from blocks.registry import current_registry
from delivery import opening
from delivery.ports.environment import Services


def open_services() -> Services:
    """Return it, with the registry that the platform's block names."""
    return opening.open_services(current_registry())

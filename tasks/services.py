"""What the platform builds, scans, tests and cleans up with, as the steps use it."""

from blocks.registry import current_registry
from delivery import opening
from delivery.ports.environment import Services
from delivery.ports.registry import Registry
from delivery.releases.order import Order


def open_services() -> Services:
    """Return it, with the registry that the platform's block names."""
    return opening.open_services(current_registry())


def services_of(order: Order) -> Services:
    """Return it; what is examined alone goes to no registry."""
    return opening.open_services(Registry.none()) if order.examines else open_services()

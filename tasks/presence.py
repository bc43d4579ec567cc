"""Say which process carries a run."""

from delivery.home import Home
from delivery.presence import Roll


def enter(run: str) -> None:
    """Write down that this process carries `run`."""
    Roll(Home.current().roll).enter(run)


def leave(run: str) -> None:
    """Forget `run`: it has ended, or goes on elsewhere."""
    Roll(Home.current().roll).leave(run)

"""Say which process carries a run."""

from delivery.changes.presence import Roll
from delivery.home import Home


def enter(run: str, *, begins_again: bool = True) -> None:
    """Write down that this process carries `run`, and whether that is started again when its process dies."""
    Roll(Home.current().roll).enter(run, begins_again=begins_again)


def leave(run: str) -> None:
    """Forget `run`: it has ended, or goes on elsewhere."""
    Roll(Home.current().roll).leave(run)

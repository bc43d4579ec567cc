"""Everything at a glance: the environments, what waits for somebody, and the last runs."""

from delivery.model import Model
from flows.overview import EnvironmentView, environments
from flows.run_search import NEWEST, latest
from flows.runs import RunView


class Standing(Model):
    """All environments of one application, or of all, as they are now."""

    environments: tuple[EnvironmentView, ...] = ()
    waiting: tuple[RunView, ...] = ()
    runs: tuple[RunView, ...] = ()


def standing(app: str | None, count: int) -> Standing:
    """Return how everything is, with the newest `count` runs."""
    runs = latest(NEWEST, app)
    return Standing(
        environments=tuple(environments(app)),
        waiting=tuple(run for run in runs if run.waits),
        runs=tuple(runs[:count]),
    )

"""The plans for infrastructure that this platform keeps, and what environments' infrastructure says of itself."""

from typing import Any

from blocks.artifact_store import current_store
from delivery.changes.plans import PlanBook
from delivery.home import Home
from delivery.spec.app import App, environment_of


def plan_book() -> PlanBook:
    """Return the plans of this platform."""
    home = Home.current()
    return PlanBook(current_store(), home.key(home.plan_key))


def known_outputs(app: App, environment: str) -> dict[str, Any]:
    """Return what the environment's infrastructure said of itself last; nothing where headway.yaml names none."""
    if environment_of(app, environment).infrastructure is None:
        return {}
    return plan_book().outputs(app.app, environment) or {}

"""What runs where, and who changes it: read from the targets and the leases."""

from datetime import UTC, datetime

from delivery.changes.lease import Lease
from delivery.errors import HeadwayError
from delivery.model import Model
from delivery.ports.slots import TargetState
from delivery.releases.infrastructure import Drift
from delivery.spec.app import App, environment_of
from tasks.environment import open_target
from tasks.infrastructure import last_drift
from tasks.known import current_environments
from tasks.lease import lease_book


class EnvironmentView(Model):
    """One environment as it is now."""

    app: str
    environment: str
    state: TargetState | None
    problem: str = ""
    lease: Lease
    busy: bool
    drift: Drift | None = None


def environments() -> list[EnvironmentView]:
    """Return every environment this platform has changed."""
    return [look_at(one.app, one.environment) for one in current_environments()]


def look_at(app: App, environment: str) -> EnvironmentView:
    """Return one environment; what keeps it from being looked at is told in `problem`."""
    lease = lease_book().read(app.app, environment)
    state, problem = None, ""
    try:
        with open_target(app, environment) as target:
            state = target.observe()
    except HeadwayError as error:
        problem = str(error)
    busy = lease.is_held(datetime.now(UTC))
    return EnvironmentView(
        app=app.app,
        environment=environment,
        state=state,
        problem=problem,
        lease=lease,
        busy=busy,
        drift=last_drift(app.app, environment) if environment_of(app, environment).infrastructure else None,
    )


def app_names() -> list[str]:
    """Return the applications this platform has delivered."""
    return sorted({one.app.app for one in current_environments()})

"""What an alarm comes to: the release before is put live again, when it is the release that can be its cause."""

from datetime import UTC, datetime

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.hooks.arrival import Arrival
from delivery.hooks.decision import why_no_rollback
from delivery.releases.run_names import rollback_name
from tasks.arrivals import BY_EVENT, Plan
from tasks.lease import lease_book
from tasks.step import step


@step(timeout_seconds=60, name="look at alarm {arrival.subject}", keep=False)
def plan_rollback(arrival: Arrival) -> Plan:
    """Return the rollback that an alarm starts, or why it starts none."""
    history = Archive(current_store()).history(arrival.app, arrival.environment)
    last = history[-1] if history else None
    lease = lease_book().read(arrival.app, arrival.environment)
    held = lease.describe() if lease.is_held(datetime.now(UTC)) else ""
    reason = why_no_rollback(arrival, last.happening if last else None, last.at if last else None, held)
    if reason or last is None:
        return Plan(reason=reason, app=arrival.app)
    return Plan(
        reason=f"alarm {arrival.subject}: {arrival.reason}",
        deployment=f"rollback/{BY_EVENT}",
        # A freeze keeps releases out; whoever lets alarms take them back means it then as well.
        parameters={
            "app": arrival.app,
            "environment": arrival.environment,
            "although_frozen": True,
            "away_from": last.release.fingerprint,
        },
        name=rollback_name(arrival.app, arrival.environment),
        app=arrival.app,
        environment=arrival.environment,
        key=f"alarm {arrival.app} {arrival.environment} {last.at.isoformat()}",
    )

"""Phase 5: the release in an environment on its way, with the acceptance suites of that environment."""

from prefect import flow

from delivery.ports.slots import TargetState
from delivery.releases.order import Built, Order
from delivery.releases.release import Release
from flows.release import put_live
from tasks.infrastructure import plan_infrastructure


@flow(name="stage", flow_run_name="stage {release.app} {release.revision.short} → {environment}", persist_result=True)
async def stage(order: Order, built: Built, release: Release, environment: str) -> TargetState:
    """Put the release live in `environment`, by the same way it will go live in the next one."""
    plan = await plan_infrastructure(order, environment)
    return await put_live(order, built, release, environment, plan=plan)

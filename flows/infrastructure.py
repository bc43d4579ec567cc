"""What environments stand on, as seen from outside: planned without being kept, and destroyed."""

import asyncio

from prefect import flow
from prefect.runtime import flow_run

from delivery.releases.infrastructure import InfrastructurePlan
from delivery.spec.app import App, environment_of
from tasks.heartbeat import enter, leave
from tasks.infrastructure import carry_out_destruction, plan_destruction, preview
from tasks.lease import give_back, renewed, take_lease
from tasks.remove import remove_what_runs

__all__ = ["destroy", "plan_destruction", "preview"]


@flow(name="destroy", flow_run_name="destroy {plan.environment} of {plan.app}", persist_result=False)
async def destroy(app: App, source: str, plan: InfrastructurePlan) -> tuple[str, ...]:
    """Destroy what an environment stands on by exactly `plan`, which somebody has agreed to, and nobody else meanwhile.

    `source` is the folder with the application's files that the plan was made from. What runs on it is removed first;
    returned is, in words, what is left on purpose.
    """
    run = str(flow_run.id)
    enter(run, begins_again=False)
    try:
        lease = await take_lease(app.app, plan.environment, run, f"destroy {plan.short}", "reject")
        try:
            with renewed(lease):
                if environment_of(app, plan.environment).target.needed_outputs(database=app.database is not None):
                    await remove_what_runs(lease, run)
                return await carry_out_destruction(app, plan.environment, source, plan, run)
        finally:
            await asyncio.shield(give_back(lease))
    finally:
        leave(run)

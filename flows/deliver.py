"""The product on one screen: what happens to a commit until it takes all traffic."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from delivery.releases.release import Release
from delivery.releases.run_names import app_of
from flows.approve import allow
from flows.candidate import build_and_prove
from flows.ending import ends_in_words
from flows.publish import publish
from flows.release import put_live
from flows.report import reported
from flows.stage import stage
from tasks.order import find_unchanged, lay_out_sources, name_of_delivery, take_order


def _name() -> str:
    """Return what the run is called: the name it was given, or one that Prefect's words for it are replaced by."""
    return flow_run.name if app_of(flow_run.name) else name_of_delivery(flow_run.parameters)


@flow(name="deliver", flow_run_name=_name, persist_result=True)
@ends_in_words
async def deliver(
    project: str | None = None, revision: str = "HEAD", environment: str = "production", steal: str | None = None
) -> Release | State[Any]:
    """Put `revision` of the application in `project`, a folder or `ADDRESS#FOLDER`, live in `environment`.

    Ends Rejected when a gate says no and Withdrawn when live traffic was at risk; either way the environment is left
    as it was found. Ends Unchanged when exactly this is live already. Environments that the run `steal` holds are
    taken from it; others are waited for.
    """
    async with reported(str(flow_run.id), environment) as ending:
        order = await take_order(project, revision, environment, str(flow_run.id), steal)
        if live := await find_unchanged(order):
            ending.outcome = "unchanged"
            return Completed(name="Unchanged", message=f"{live.fingerprint} is live already, made from the same files")
        await lay_out_sources(order)
        built, reports, results = await build_and_prove(order)
        release = await publish(order, built, reports, results)
        for before in order.stops:
            await stage(order, built, release, before)
        decision, plan = await allow(order, release)
        await put_live(order, built, release, environment, decision, plan)
    return release

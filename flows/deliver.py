"""The product on one screen: what happens to a commit until it takes all traffic."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from delivery.releases.release import Release
from flows.approve import allow
from flows.candidate import build_and_prove
from flows.ending import ends_in_words
from flows.parameters import Commit, EnvironmentName, Project, RunId
from flows.publish import publish
from flows.rehearse import rehearse
from flows.release import put_live
from flows.report import reported
from flows.stage import stage
from tasks.order import find_unchanged, lay_out_sources, name_this_delivery, take_order, words_of_unchanged


@flow(name="deliver", flow_run_name=name_this_delivery, persist_result=True)
@ends_in_words
async def deliver(
    project: Project = None, revision: Commit = "HEAD", environment: EnvironmentName = "production", steal: RunId = None
) -> Release | State[Any]:
    """Put `revision` of the application in `project`, a folder or `ADDRESS#FOLDER`, live in `environment`.

    Ends Rejected or Withdrawn, with the environment as it was found, or Unchanged; what the run `steal` holds is taken.
    """
    async with reported(str(flow_run.id), environment) as ending:
        order = await take_order(project, revision, environment, str(flow_run.id), steal)
        if live := await find_unchanged(order):
            ending.outcome = "unchanged"
            return Completed(name="Unchanged", message=words_of_unchanged(order, live))
        await lay_out_sources(order)
        built, reports, results = await build_and_prove(order)
        release = await publish(order, built, reports, results)
        await rehearse(order, built, release)
        for before in order.stops:
            await stage(order, built, release, before)
        decision, plan = await allow(order, release)
        await put_live(order, built, release, environment, decision, plan)
    return release

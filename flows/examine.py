"""A commit built, scanned and tested: nothing is published or released, and what was made of it is removed."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from delivery.counting import counted
from flows.candidate import prove
from flows.ending import ends_in_words
from flows.parameters import Base, Commit, Fork, PullRequest, Sources
from flows.report import reported
from tasks.examination import take_examination
from tasks.order import lay_out_sources


@flow(name="examine", persist_result=True)
@ends_in_words
async def examine(
    project: Sources, revision: Commit, pull_request: PullRequest = None, fork: Fork = True, base: Base = None
) -> State[Any]:
    """Build, scan and test `revision` of the repository at the address `project`; one of a `fork` has no reach.

    Who is told of it says headway.yaml at `base`, the commit that a pull request is for: its own cannot. Ends Rejected,
    as a delivery would, when the scan or a suite says no.
    """
    run = str(flow_run.id)
    async with reported(run, "", "proof") as ending:
        order = await take_examination(project, revision, run, pull_request, fork, base)
        await lay_out_sources(order)
        built, reports, results = await prove(order)
        ending.outcome = "proven"
    tests = counted(sum(result.tests for result in results), "test")
    said = f"{counted(len(built.images), 'image')} built, {len(reports)} scanned, {tests} passed"
    return Completed(message=f"{order.revision.short}: {said} in {counted(len(results), 'cell')}")

"""`headway log`: what a run did, step by step."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import AsJson, print_model, print_table, say, seconds
from cli.project import AppName, ProjectFolder, RunName, app_here
from cli.session import running
from delivery.errors import Misconfigured

if TYPE_CHECKING:
    from flows.telling import RunLog


def log(
    run: RunName = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Of one under way: also what comes.")] = False,
    app: AppName = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run did, step by step, with the time and the outcome of each.

    To stop following leaves the run alone.
    """
    if follow and as_json:
        raise Misconfigured("--follow", "has no --json", "one of the two")
    prefect = running()
    from flows.telling import choose, log_of

    found = choose(run, app or (None if run else app_here(project)))
    if follow and not found.has_ended:
        from cli.follow import watch

        say(f"{found.name}: run {found.id[:8]}")
        ended = watch(found.id, prefect)
        if ended is None:
            return
        found = ended
    told = log_of(found)
    if as_json:
        print_model(told)
    else:
        _show(told)


def _show(told: "RunLog") -> None:
    by = f", asked for by {told.requested_by}" * bool(told.requested_by)
    took = f" in {seconds((told.ended - told.started).total_seconds())}" if told.started and told.ended else ""
    say(f"{told.name}: {told.outcome or told.state.lower()}{took}{by}; run {told.id[:8]}")
    if told.started:
        say(f"began {told.started:%Y-%m-%d %H:%M:%S} UTC")
    if told.steps:
        print_table(
            ["at", "phase", "step", "time", "outcome"],
            [
                (
                    f"{step.started:%H:%M:%S}" if step.started else "",
                    step.phase,
                    step.name,
                    seconds(step.seconds),
                    f"{step.outcome}{f', attempt {step.attempts}' if step.attempts > 1 else ''}",
                )
                for step in told.steps
            ],
        )
    else:
        say("no step of it was carried out yet")
    for warning in told.warnings:
        say(f"! {warning}", "yellow")
    if told.message:
        say(told.message)
    if told.report:
        say(f"report: {told.report}")

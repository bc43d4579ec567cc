"""`headway approve` and `headway reject`: answer a run that waits."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.asking import By, name_of
from cli.output import AsJson, print_model, say
from cli.project import AppName, ProjectFolder, app_here
from cli.session import running
from cli.shown import Answered

Run = Annotated[
    str | None, typer.Argument(help="Run id or its beginning; none: the one of this application that waits.")
]
Comment = Annotated[str, typer.Option(help="Kept with the decision.")]


def approve(
    run: Run = None,
    by: By = None,
    comment: Comment = "",
    app: AppName = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
    destroy: Annotated[
        str,
        typer.Option(metavar="ENVIRONMENT", help="Let its plan destroy what holds data: by the environment's name."),
    ] = "",
) -> None:
    """Let the release a run waits with into its environment."""
    _answer("approve", run, app, project, by, comment, as_json, destroy)


def reject(
    run: Run = None,
    by: By = None,
    comment: Comment = "",
    app: AppName = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Keep the release a run waits with out of its environment."""
    _answer("reject", run, app, project, by, comment, as_json)


def _answer(
    decision: Literal["approve", "reject"],
    text: str | None,
    app: str | None,
    project: Path | None,
    by: str | None,
    comment: str,
    as_json: bool,
    destroy: str = "",
) -> None:
    running()
    from flows.run_search import find
    from flows.runs import answer

    approver = name_of(by)
    run = find(text, app or (None if text else app_here(project)))
    answer(run, decision, approver, comment, destroy)
    if as_json:
        print_model(Answered(run=run.id, decision=decision, approver=approver, comment=comment))
    else:
        say(f"{decision}: {run.name}, run {run.id[:8]}, as {approver}")

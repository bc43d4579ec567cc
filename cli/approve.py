"""`headway approve` and `headway reject`: answer a run that waits."""

import getpass
from typing import Annotated, Literal

import typer

from cli.output import print_json, say
from cli.session import running
from delivery.errors import Misconfigured

Run = Annotated[str | None, typer.Argument(help="Run id or its beginning; none: the one that waits.")]
By = Annotated[str | None, typer.Option(help="Who decides; none: your login name.")]
Comment = Annotated[str, typer.Option(help="Kept with the decision.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print data.")]


def approve(run: Run = None, by: By = None, comment: Comment = "", as_json: AsJson = False) -> None:
    """Let the release a run waits with into its environment."""
    _answer("approve", run, by, comment, as_json)


def reject(run: Run = None, by: By = None, comment: Comment = "", as_json: AsJson = False) -> None:
    """Keep the release a run waits with out of its environment."""
    _answer("reject", run, by, comment, as_json)


def _answer(
    decision: Literal["approve", "reject"], text: str | None, by: str | None, comment: str, as_json: bool
) -> None:
    running()
    from flows.runs import answer, find

    approver = by or getpass.getuser()
    if len(approver.strip()) < 2:
        raise Misconfigured("--by", repr(approver), "a name or e-mail of at least 2 characters")
    run = find(text)
    answer(run, decision, approver, comment)
    if as_json:
        print_json({"run": run.id, "decision": decision, "approver": approver, "comment": comment})
    else:
        say(f"{decision}: run {run.name} ({run.id[:8]}), as {approver}")

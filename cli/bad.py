"""`headway bad`: a release that must not go live again."""

from typing import Annotated

import typer

from cli.asking import By, name_of
from cli.output import AsJson, print_model, say, warn
from cli.project import AppName, ProjectFolder, choose_app
from cli.session import running
from delivery.errors import Misconfigured


def bad(
    release: Annotated[str, typer.Argument(help="Fingerprint, or its beginning, as `headway history` shows it.")],
    reason: Annotated[str, typer.Option(help="Why; whoever is refused reads it.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Take the mark away.")] = False,
    by: By = None,
    app: AppName = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Mark a release, so that no delivery and no rollback puts it live again; what runs is left alone."""
    if not reason.strip() and not lift:
        raise Misconfigured("--reason", "is empty", "what is bad about it, for whoever is refused")
    who = name_of(by)
    running()
    from flows.marks import mark_bad

    name = choose_app(app, project)
    done = mark_bad(name, release, bad=not lift, by=who, reason=reason)
    if as_json:
        print_model(done)
        return
    if lift:
        say(f"release {done.mark.release.fingerprint} may go live again", "green")
    else:
        say(done.mark.describe(), "green")
    for environment in done.live_in:
        warn(f"it is live in {environment} and stays so\n  next: headway rollback --environment {environment}")

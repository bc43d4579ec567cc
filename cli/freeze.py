"""`headway freeze` and `headway thaw`: for a while an environment takes no release."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.asking import By, name_of
from cli.moments import moment
from cli.output import AsJson, print_model, say, warn
from cli.project import AppName, ProjectFolder, choose_app, find_folder
from cli.session import running
from delivery.errors import HeadwayError, Misconfigured
from delivery.spec.configuration import FILE, read_app

Environment = Annotated[str | None, typer.Argument(help="The environment; none: every one of the application.")]


def freeze(
    environment: Environment = None,
    reason: Annotated[str, typer.Option(help="Why; whoever is refused reads it.")] = "",
    until: Annotated[str | None, typer.Option(help="When it ends by itself: 2h, 3d, or 2030-12-31T10:00.")] = None,
    by: By = None,
    app: AppName = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Let no release into an environment until it is thawed; a rollback must say that it goes there all the same.

    A run that changes it just now goes on.
    """
    if not reason.strip():
        raise Misconfigured("--reason", "is empty", "why nothing may go live, for whoever is refused")
    now = datetime.now(UTC)
    end = moment(until, "--until", now, ahead=True) if until else None
    if end and end <= now:
        raise Misconfigured("--until", f"{until} is over", "a moment to come")
    who = name_of(by)
    running()
    from flows.marks import freeze as freeze_it

    name = choose_app(app, project)
    _check_environment(name, environment, project)
    frozen = freeze_it(name, environment, by=who, reason=reason, until=end, now=now)
    if as_json:
        print_model(frozen)
        return
    say(f"{environment or 'every environment'} of {name} is {frozen.mark.describe()}", "green")
    for line in frozen.under_way:
        warn(f"{line}: that goes on")


def thaw(
    environment: Environment = None,
    reason: Annotated[str, typer.Option(help="Why; kept with it.")] = "",
    by: By = None,
    app: AppName = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Let releases into an environment again, whatever froze it."""
    who = name_of(by)
    running()
    from flows.marks import environments_of, frozen_now
    from flows.marks import thaw as thaw_it

    name = choose_app(app, project)
    _check_environment(name, environment, project)
    was = frozen_now(name, (environment,) if environment else environments_of(name))
    thawed = thaw_it(name, environment, by=who, reason=reason)
    if as_json:
        print_model(thawed)
        return
    for where, mark in was.items():
        say(f"{where} of {name} was {mark.describe()}")
    say(f"{environment or 'every environment'} of {name} takes releases{'' if was else '; it was not frozen'}", "green")


def _check_environment(app: str, environment: str | None, project: Path | None) -> None:
    """Return when the application has such an environment; Misconfigured, with those it has, when not."""
    from flows.marks import environments_of

    names = dict.fromkeys((*environments_of(app), *_described_here(app, project)))
    if environment is not None and environment not in names:
        raise Misconfigured(f"{environment} of {app}", "there is no such environment", ", ".join(names) or "none yet")


def _described_here(app: str, project: Path | None) -> tuple[str, ...]:
    """Return the environments in the file of the folder, where it is that of the application: it may have new ones."""
    try:
        found = read_app(find_folder(project) / FILE).app
    except HeadwayError:
        return ()
    return tuple(found.environments) if found and found.app == app else ()

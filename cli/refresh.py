"""`headway refresh`: an environment's database gets the data of another one, masked."""

import asyncio
from typing import Annotated

import typer

from cli.asking import Yes, ask_for
from cli.output import AsJson, print_model, say, warn
from cli.project import ProjectFolder, find_folder
from cli.session import running
from cli.shown import RefreshDone
from cli.steal import Steal, choose_holder
from delivery.counting import counted
from delivery.errors import Misconfigured
from delivery.spec.app import environment_of
from delivery.spec.configuration import FILE, load_project
from delivery.spec.masking import load_masking


def refresh(
    environment: Annotated[str, typer.Argument(help="Whose database is refreshed, as headway.yaml says.")],
    project: ProjectFolder = None,
    steal: Steal = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put the newest proven backup of another environment, masked, in the place of an environment's database."""
    folder = find_folder(project)
    app = load_project(folder)
    asked = environment_of(app, environment).refresh
    if asked is None:
        where = f"{FILE}: environments.{environment}.refresh"
        raise Misconfigured(where, "there is none", "{from: ENVIRONMENT, masking: FILE}", "docs/backups.md explains it")
    masking = load_masking(folder, asked.masking)
    running()
    from flows.refresh import refresh as flow

    warn(f"{environment} of {app.app} uses the data of {asked.source} from then on, masked as {asked.masking} says")
    warn("the database in use now is kept beside it under another name; connections to it end")
    ask_for(environment, what="the environment's name", where="headway refresh", yes=yes)
    holder = choose_holder(app.app, [environment], yes=yes) if steal else None
    masked, replaced = asyncio.run(flow(app.app, environment, asked.source, masking, holder))
    if as_json:
        print_model(RefreshDone(masked=masked, replaced=replaced))
        return
    rows = f"{counted(masked.tables, 'table')}, {counted(masked.rows, 'row')}"
    what = f"{counted(masked.columns, 'column')} masked, {counted(masked.emptied, 'table')} without rows"
    say(f"restored {masked.backup} of {asked.source} in {masked.seconds:.1f} s: {rows}; {what}", "green")
    say(f"{environment} of {app.app} uses it; the database before is kept as {replaced.kept_as}")
    say(f"remove that with: headway database drop {replaced.kept_as} --environment {environment}")

"""`headway database`: the databases beside each other in an environment, and which one the application uses."""

import asyncio
from typing import Annotated

import typer

from cli.asking import Yes, ask_for
from cli.output import AsJson, print_model, say, warn
from cli.project import AppName, ProjectFolder, Where, choose_app
from cli.session import running
from cli.shown import Databases
from cli.steal import Steal, choose_holder

database = typer.Typer(help="The databases beside each other in an environment.", no_args_is_help=True)
DatabaseName = Annotated[str, typer.Argument(help="Name of a database, as `headway database list` shows it.")]


@database.command("list")
def list_databases(
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Where = "production",
    as_json: AsJson = False,
) -> None:
    """Show the database that the application uses, and those beside it."""
    running()
    from flows.backup import databases

    found = databases(choose_app(app, project), environment)
    if as_json:
        print_model(Databases(used=found[0] if found else None, beside=tuple(found[1:])))
        return
    for name in found:
        say(f"{name}{'  the application uses it' if name == found[0] else ''}")
    if not found:
        say(f"no database runs in {environment}")


@database.command("use")
def use(
    name: DatabaseName,
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Where = "production",
    steal: Steal = False,
    yes: Yes = False,
) -> None:
    """Put a database behind the application; the one in use is kept under another name."""
    running()
    from flows.restore import use_database

    owner = choose_app(app, project)
    warn(f"{environment} of {owner} uses the database {name} from then on; the one in use is kept under another name")
    ask_for(environment, what="the environment's name", where="headway database use", yes=yes)
    holder = choose_holder(owner, [environment], yes=yes) if steal else None
    replaced = asyncio.run(use_database(owner, environment, name, holder))
    say(f"{environment} of {owner} uses {name}; the database before is kept as {replaced.kept_as}", "green")


@database.command("drop")
def drop(
    name: DatabaseName,
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Where = "production",
    yes: Yes = False,
) -> None:
    """Remove a database that the application does not use, for good."""
    running()
    from flows.restore import drop_database

    owner = choose_app(app, project)
    warn(f"this removes the database {name} of {environment} of {owner} for good")
    ask_for(name, what="its name", where="headway database drop", yes=yes)
    asyncio.run(drop_database(owner, environment, name))
    say(f"removed {name}", "green")


@database.command("migrations")
def migrations(
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Where = "production",
    as_json: AsJson = False,
) -> None:
    """Show what of the live release's migrations was applied, is pending, or waits; 1 when its tool finds a fault."""
    running()
    from flows.contract import migrations as flow

    told = asyncio.run(flow(choose_app(app, project), environment))
    if as_json:
        print_model(told)
    elif told.tool == "command":
        say("a command migrates: what it has applied, it alone knows")
    else:
        for version in told.applied:
            say(f"applied  {version}")
        for version in told.pending:
            say(f"{'waits   ' if version in told.waiting else 'pending '} {version}")
        if told.due:
            say(f"due now: {', '.join(told.due)}; headway database contract runs them")
    if told.problem:
        warn(told.problem)
        raise typer.Exit(1)


@database.command("contract")
def contract(
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Where = "production",
    steal: Steal = False,
    yes: Yes = False,
) -> None:
    """Run the migrations that shrink the schema and whose time has come, after a backup."""
    running()
    from flows.contract import contract as flow

    owner = choose_app(app, project)
    holder = choose_holder(owner, [environment], yes=yes) if steal else None
    ran = asyncio.run(flow(owner, environment, holder))
    say(f"ran {', '.join(ran)}" if ran else f"nothing of {environment} is due: headway database migrations", "green")

"""`headway rollback`: put an earlier release live again."""

import time
from typing import Annotated

import typer

from cli.asking import Yes, login_name
from cli.output import AsJson, say
from cli.project import AppName, ProjectFolder, Where, choose_app
from cli.session import running
from cli.steal import Steal, choose_holder
from delivery.releases.run_names import rollback_name


def rollback(
    release: Annotated[str | None, typer.Argument(help="Fingerprint; none: the one that was live before.")] = None,
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Where = "production",
    override: Annotated[
        bool, typer.Option(help="Also a release that was withdrawn there, or does not run on the schema.")
    ] = False,
    down: Annotated[bool, typer.Option(help="Take back the migrations in between, where that was rehearsed.")] = False,
    restore: Annotated[
        str | None, typer.Option(help="Put this backup, of the time before, in the place of the database.")
    ] = None,
    although_frozen: Annotated[
        bool, typer.Option("--although-frozen", help="Also in an environment that is frozen.")
    ] = False,
    steal: Steal = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Put an earlier release live again, blue-green and watched; the database stays as it is, unless it is said."""
    began = time.time()
    prefect = running()
    from cli.ending import end
    from cli.follow import follow
    from flows.runs import start

    name = choose_app(app, project)
    holder = choose_holder(name, [environment], yes=yes) if steal else None
    parameters = {
        "app": name,
        "environment": environment,
        "release": release,
        "override": override,
        "down": down,
        "backup": restore,
        "steal": holder,
        "although_frozen": although_frozen,
    }
    started = start("rollback/local", parameters, rollback_name(name, environment), login_name())
    if not as_json:
        say(f"{started.name}: run {started.id[:8]}")
    ended = follow(started.id, prefect, quiet=as_json)
    return end(ended, prefect, as_json=as_json, set_up_seconds=0, seconds_in_all=time.time() - began)

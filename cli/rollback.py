"""`headway rollback`: put an earlier release live again."""

import time
from typing import Annotated

import typer

from cli.output import say
from cli.project import AppName, ProjectFolder, choose_app
from cli.session import running
from cli.steal import Steal, Yes, choose_holder
from delivery.releases.run_names import rollback_name


def rollback(
    release: Annotated[str | None, typer.Argument(help="Fingerprint; none: the one that was live before.")] = None,
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Annotated[str, typer.Option(help="Where.")] = "production",
    override: Annotated[bool, typer.Option(help="Also a release that was withdrawn there.")] = False,
    steal: Steal = False,
    yes: Yes = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record of the rollback as data.")] = False,
) -> int:
    """Put an earlier release live again, blue-green and watched; the database stays as it is."""
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
        "steal": holder,
    }
    started = start("rollback/local", parameters, rollback_name(name, environment))
    if not as_json:
        say(f"{started.name}: run {started.id[:8]}")
    ended = follow(started.id, prefect, quiet=as_json)
    return end(ended, prefect, as_json=as_json, set_up_seconds=0, seconds_in_all=time.time() - began)

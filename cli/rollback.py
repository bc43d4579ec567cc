"""`headway rollback`: put an earlier release live again."""

import time
from typing import Annotated

import typer

from cli.output import say
from cli.session import running
from cli.steal import Steal, Yes, choose_victim
from delivery.errors import Misconfigured


def rollback(
    release: Annotated[str | None, typer.Argument(help="Fingerprint; none: the one that was live before.")] = None,
    app: Annotated[str | None, typer.Option(help="Application; not needed when there is only one.")] = None,
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

    name = app or _only_app()
    victim = choose_victim(name, [environment], yes=yes) if steal else None
    parameters = {
        "app": name,
        "environment": environment,
        "release": release,
        "override": override,
        "steal": victim,
    }
    started = start("rollback/local", parameters, f"roll back {environment}")
    if not as_json:
        say(f"rolling {environment} of {name} back: run {started.id[:8]} ({started.name})")
    ended = follow(started.id, prefect, quiet=as_json)
    return end(ended, prefect, as_json=as_json, set_up_seconds=0, seconds_in_all=time.time() - began)


def _only_app() -> str:
    from flows.overview import app_names

    names = app_names()
    if len(names) != 1:
        raise Misconfigured("--app", "is needed", ", ".join(names) or "none was delivered yet")
    return names[0]

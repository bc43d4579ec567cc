"""`--steal`: take an environment from a run that holds it, after showing which and asking."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.output import warn
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.state import open_leases

Steal = Annotated[bool, typer.Option("--steal", help="Take the environment from the run that holds it.")]


def choose_holder(app: str, environments: Sequence[str], *, yes: bool) -> str | None:
    """Return the run that holds the first of `environments` that is held, once the user agreed; none when none is.

    Raises Rejected when the user does not agree, Misconfigured when there is nobody to ask.
    """
    book, now = open_leases(Home.current()), datetime.now(UTC)
    held = [lease for name in environments if (lease := book.read(app, name)).is_held(now)]
    if not held:
        warn(f"nobody holds {' or '.join(environments)} of {app}: there is nothing to steal")
        return None
    holder = held[0].holder
    for lease in held:
        warn(lease.describe() if lease.holder == holder else f"{lease.describe()}; it is waited for")
    warn("the run is stopped, and what it leaves half done is ended first")
    if not yes and not sys.stdin.isatty():
        raise Misconfigured("--steal", "there is no terminal to ask on", "--steal --yes")
    if not yes and not typer.confirm(f"Take it from {held[0].held_by}?", err=True):
        raise Rejected(f"nothing was stolen: {held[0].describe()}")
    return holder

"""`headway secret`: the values that headway.yaml names and that belong into no repository."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from cli.asking import Yes
from cli.output import AsJson, print_model, print_table, say, warn
from cli.project import AppName, ProjectFolder, app_here, find_folder
from cli.session import running
from delivery.errors import HeadwayError, Misconfigured, Rejected
from delivery.spec.app import App
from delivery.spec.configuration import FILE, read_app

secret = typer.Typer(no_args_is_help=True, help="Set, list and remove the secrets that headway.yaml names.")
Name = Annotated[str, typer.Argument(help="What headway.yaml calls it.")]
_ALLOWED = "lower-case letters, digits, dashes"


@secret.command("set")
def set_secret(name: Name) -> None:
    """Keep a value under a name: from standard input, or asked for without showing it; never an argument."""
    _check(name)
    running()
    from flows.secret_blocks import store

    value = _read(name)
    replaced = store(name, value)
    say(f"{'replaced' if replaced else 'set'}: {name}; the next release gets it", "green")


@secret.command("list")
def list_secrets(
    app: AppName = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show the names of all secrets, which keys of headway.yaml use each, and which are missing; never a value."""
    running()
    from flows.secret_blocks import overview

    only = app or app_here(project)
    views = overview(_described(project))
    if only:
        views = [view for view in views if view.is_there or any(use.startswith(f"{only}: ") for use in view.used_by)]
    if as_json:
        print_model(views)
        return
    if not views:
        say("there are no secrets, and nothing names one")
        return
    rows = [
        (view.name, "set" if view.is_there else "missing", "\n".join(view.used_by) or "nothing here") for view in views
    ]
    print_table(["secret", "", "used by"], rows)
    for view in views:
        if not view.is_there:
            warn(f"next: headway secret set {view.name}")


@secret.command("remove")
def remove_secret(
    name: Name,
    project: ProjectFolder = None,
    yes: Yes = False,
) -> None:
    """Remove a secret, after saying who uses it."""
    running()
    from flows.secret_blocks import overview, remove

    view = next((one for one in overview(_described(project)) if one.name == name), None)
    if view is None or not view.is_there:
        warn(f"there is no secret {name}")
        return
    for use in view.used_by:
        warn(f"{use} uses {name}: without it the next release is refused")
    _ask(name, yes=yes)
    remove(name)
    say(f"removed: {name}; what runs keeps it until its next release", "green")


def _check(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9-]+", name):
        raise Misconfigured("secret", repr(name), _ALLOWED)


def _read(name: str) -> SecretStr:
    """Return the value: everything on standard input but the last line's end, or what is typed twice."""
    if sys.stdin.isatty():
        text = typer.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True, default="", err=True)
    else:
        text = re.sub(r"\r?\n\Z", "", sys.stdin.read())
    if not text:
        raise Misconfigured(f"secret {name}", "the value is empty", "a value on standard input, or typed when asked")
    return SecretStr(text)


def _described(project: Path | None) -> App | None:
    """Return the application of the folder as its file is now; none where there is no folder, or it cannot be read."""
    try:
        return read_app(find_folder(project) / FILE).app
    except HeadwayError:
        if project is not None:
            raise
        return None


def _ask(name: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Misconfigured("headway secret remove", "there is no terminal to ask on", "--yes")
    if not typer.confirm(f"Remove {name}?", err=True):
        raise Rejected(f"nothing was removed: {name} stays as it is")

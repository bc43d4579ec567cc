"""Ask before something goes for good."""

import getpass
import sys
from typing import Annotated

import typer

from delivery.errors import Misconfigured, Rejected

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
By = Annotated[str | None, typer.Option(help="Who decides; none: your login name.")]
FEWEST_LETTERS = 2


def ask(question: str, *, where: str, otherwise: str, yes: bool) -> None:
    """Return when the user agrees; Rejected with `otherwise` when not, Misconfigured when there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Misconfigured(where, "there is no terminal to ask on", "--yes")
    if not typer.confirm(question, err=True):
        raise Rejected(otherwise)


def ask_for(word: str, *, what: str, where: str, yes: bool) -> None:
    """Return when the user types `word`, which is `what`; Rejected otherwise, Misconfigured with nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Misconfigured(where, "there is no terminal to ask on", "--yes")
    if typer.prompt(f"Type {what} ({word}) to go on", err=True, default="", show_default=False).strip() != word:
        raise Rejected("nothing was changed")


def login_name() -> str:
    """Return who this process belongs to; nothing where the machine has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def name_of(by: str | None) -> str:
    """Return who decides: `by`, or the login name; Misconfigured for what is no name."""
    name = (by if by is not None else login_name()).strip()
    if len(name) < FEWEST_LETTERS:
        raise Misconfigured("--by", repr(by), "a name or e-mail of at least 2 characters")
    return name

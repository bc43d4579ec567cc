"""Ask before something goes for good."""

import sys

import typer

from delivery.errors import Misconfigured, Rejected


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

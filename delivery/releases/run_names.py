"""What a run is called: the application, what is delivered, and where it goes."""

import re
from collections.abc import Iterable

ARROW = " → "
BY = "by:"  # what a tag begins with that says who asked for the run
_NAME = re.compile(rf"([a-z][a-z0-9-]*) \S[^→]*{ARROW}\S")


def delivery_name(app: str, revision: str, environment: str) -> str:
    """Return `shop 1a2b3c4 → production`."""
    return f"{app} {revision}{ARROW}{environment}"


def rollback_name(app: str, environment: str, revision: str = "") -> str:
    """Return `shop rollback to 1a2b3c4 → production`; without what it goes back to, while that is not known."""
    return f"{app} rollback{' to ' * bool(revision)}{revision}{ARROW}{environment}"


def requested_by(name: str) -> str:
    """Return the tag that says who asked for a run."""
    return f"{BY}{name}"


def requester_in(tags: Iterable[str]) -> str:
    """Return who asked for a run with these tags, or nothing when they do not tell."""
    return next((tag.removeprefix(BY) for tag in sorted(tags) if tag.startswith(BY)), "")


def proof_name(app: str, revision: str) -> str:
    """Return `shop 1a2b3c4 → proof`: what was built and tested, and went nowhere."""
    return f"{app} {revision}{ARROW}proof"


def app_of(name: str) -> str:
    """Return the application that a run of this name is about, or nothing when the name does not tell."""
    found = _NAME.match(name)
    return found[1] if found else ""


def called(name: str, run: str) -> str:
    """Return a run as people know it, with enough of its id to find it; the id alone where it has no name."""
    return f"{name} (run {run[:8]})" if name else run

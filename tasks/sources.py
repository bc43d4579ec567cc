"""Where the files of a delivery lie on the machine that executes; they are laid out where they do not."""

from pathlib import Path

from filelock import FileLock

from delivery.home import Home
from delivery.programs import git
from delivery.programs.checkout import export
from delivery.programs.repositories import find_repository, is_address
from delivery.releases.order import Order
from tasks.repositories import access_to
from tasks.step import log

LOCK_SECONDS = 600


def laid_out(order: Order) -> Path:
    """Return the folder with the application's files of the order's revision.

    It is made when it is not there: another machine began the run, or an earlier attempt of it was cleaned up after.
    """
    source = source_of(order.run)
    if source.exists():
        return source
    source.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(source.with_name(".source.lock"), timeout=LOCK_SECONDS):  # steps run side by side
        if not source.exists():
            export(repository_of(order), order.revision.sha, order.folder, source)
            log().info("laid out the files of %s", order.revision.short)
    return source


def source_of(run: str) -> Path:
    """Return where on this machine the files of a run lie, or would."""
    return Home.current().work / run / "source"


def repository_of(order: Order) -> Path:
    """Return a repository on this machine with the order's revision; Misconfigured when there can be none."""
    return find_repository(order.repository, order.revision.sha, Home.current().cache, access_to)


def origin_of(order: Order) -> str:
    """Return the address of the order's repository, without credentials; empty when none is known here."""
    if is_address(order.repository):
        return git.without_credentials(order.repository)
    return git.origin(Path(order.repository))

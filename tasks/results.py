"""The JUnit files that the test cells of a run left, copied to where somebody else reads them."""

from pathlib import Path, PurePosixPath

from blocks.artifact_store import current_store
from delivery.errors import Misconfigured


def copy_junit(run: str, folder: Path) -> list[Path]:
    """Return the JUnit files of a run as they are in `folder` now, one folder a cell; Misconfigured for none."""
    store, below = current_store(), f"runs/{run}/cells"
    found = [PurePosixPath(key) for key in store.keys(below) if PurePosixPath(key).parts[4:5] == ("junit",)]
    if not found:
        raise Misconfigured(
            f"run {run[:8]}",
            f"there are no JUnit files of it in {store.locate(below)}",
            "on the platform's own machine, or with its artifact store in a bucket",
            "headway follow RUN tells how its test cells ended",
        )
    return [_copied(key, folder.joinpath(*_place(key.relative_to(below)))) for key in found]


def _place(key: PurePosixPath) -> list[str]:
    """Return the cell and the file in it; that all of them are JUnit need not be said."""
    cell, _, *rest = key.parts
    return [cell, *rest]


def _copied(key: PurePosixPath, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(current_store().get(str(key)))
    return to

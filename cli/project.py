"""The application's folder as the command line is given it: found, checked, remembered."""

from pathlib import Path

from delivery.app import App
from delivery.configuration import load_app
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.order import environment_of
from delivery.programs import git
from delivery.programs.checkout import check_sources


def check_project(folder: Path, revision: str, environment: str, *, allow_dirty: bool) -> App:
    """Return what the folder's file says, after all that can be said without building anything.

    Raises Misconfigured for a folder that is no project, a revision that does not exist, a submodule
    whose commit is not on this machine, or changes that are not committed and so would not be delivered.
    """
    folder = folder.resolve()
    repository = git.top_level(folder)
    below = folder.relative_to(repository).as_posix()
    app = load_app(folder / "headway.yaml")
    environment_of(app, environment)
    check_sources(repository, git.resolve(repository, revision, below).sha, below)
    changed = git.changed_files(repository, below)
    if changed and revision == "HEAD" and not allow_dirty:
        names = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
        raise Misconfigured(
            f"work tree of {folder}",
            f"uncommitted changes in {names}",
            next_step="commit them, or add --allow-dirty to deliver the last commit without them",
        )
    return app


def remember_project(home: Home, folder: Path) -> None:
    """Make `folder` what a run without a project delivers."""
    home.root.mkdir(parents=True, exist_ok=True)
    home.project.write_text(str(folder.resolve()))

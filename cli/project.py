"""The application's folder as the command line is given it, or stands in it: found, checked, remembered."""

from pathlib import Path
from typing import Annotated

import typer

from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.programs import git
from delivery.programs.checkout import check_sources
from delivery.releases.release import Revision
from delivery.spec.app import App, environment_of
from delivery.spec.configuration import FILE, app_name, load_app

AppName = Annotated[str | None, typer.Option("--app", help="Application; none: the one whose folder this is.")]
Where = Annotated[str, typer.Option("--environment", help="Where.")]
Everything = Annotated[bool, typer.Option("--all", help="Every application, wherever one stands.")]
RunName = Annotated[
    str | None, typer.Argument(help="Run id or its beginning, or its name; none: the newest of this application.")
]
ProjectFolder = Annotated[Path | None, typer.Option("--project", help="The application's folder; none: this one.")]


def find_folder(given: Path | None = None) -> Path:
    """Return `given`, or the folder with headway.yaml that the current one is in, up to the root of its repository.

    Where there is none, the current folder: whoever reads the file there says what to do.
    """
    if given is not None:
        return given
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return Path() if folder == here else folder
        if (folder / ".git").exists():
            break
    return Path()


def app_here(project: Path | None = None) -> str | None:
    """Return the application of `project`, or of the folder one stands in; none when that belongs to none."""
    file = find_folder(project) / FILE
    return app_name(file) if project is not None or file.is_file() else None


def choose_app(app: str | None, project: Path | None = None) -> str:
    """Return `app`, else the application whose folder this is, else the only one on the platform.

    Raises Misconfigured, with the choices, when there are several. The platform must be up.
    """
    from flows.overview import app_names

    if found := app or app_here(project):
        return found
    names = app_names()
    if len(names) != 1:
        raise Misconfigured("--app", "is needed here", ", ".join(names) or "none was delivered yet")
    return names[0]


def check_project(folder: Path, revision: str, environment: str, *, allow_dirty: bool) -> tuple[App, Revision]:
    """Return what the folder's file says and the revision, after all that can be said without building anything.

    Raises Misconfigured for a folder that is no project, a revision that does not exist, a submodule
    whose commit is not on this machine, or changes that are not committed and so would not be delivered.
    """
    folder = folder.resolve()
    repository = git.top_level(folder)
    below = folder.relative_to(repository).as_posix()
    app = load_app(folder / FILE)
    environment_of(app, environment)
    found = git.resolve(repository, revision, below)
    check_sources(repository, found.sha, below)
    changed = git.changed_files(repository, below)
    if changed and revision == "HEAD" and not allow_dirty:
        raise Misconfigured(
            f"work tree of {folder}",
            f"uncommitted changes in {first_names(changed)}",
            next_step="commit them, or add --allow-dirty to deliver the last commit without them",
        )
    return app, found


def first_names(names: tuple[str, ...]) -> str:
    """Return the first of many file names, and how many more there are."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def remember_project(home: Home, folder: Path) -> None:
    """Make `folder` what a run without a project delivers."""
    home.ensure()
    home.project.write_text(str(folder.resolve()))

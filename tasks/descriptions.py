"""What the repository of an address says of its application."""

from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.programs import pushed
from delivery.programs.repositories import open_project
from delivery.spec.app import App
from tasks.arrivals import described_at
from tasks.repositories import access_to


def described(project: str) -> App:
    """Return what headway.yaml says on the default branch of `ADDRESS` or `ADDRESS#FOLDER`, which is fetched.

    Raises Transient while the repository is not reached, Misconfigured for a headway.yaml that cannot be taken.
    """
    address, folder, here = open_project(project, Home.current().cache, access_to)
    newest = pushed.commit_of(here, "HEAD")
    if not newest:
        raise Misconfigured(f"repository {address}", "has no commit on its default branch")
    return described_at(here, newest, folder)

"""What a pull request is examined with: its own files, and of a fork no secret and no image of others."""

from collections.abc import Iterator
from pathlib import Path

from blocks.registry import current_registry
from delivery.dockerfiles.naming import images_in
from delivery.dockerfiles.parsing import READER, may_name_reader
from delivery.dockerfiles.reading import read
from delivery.dockerfiles.variables import NotUnderstood
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.hooks.forks import apart, images_of_others, without_reach
from delivery.programs import git
from delivery.programs.checkout import export
from delivery.programs.repositories import fetch, find_repository
from delivery.releases.order import Order
from delivery.spec.app import App
from delivery.spec.configuration import FILE, load_project
from delivery.spec.images import Image
from delivery.spec.named_images import foreign_image_keys
from tasks.arrivals import described_at
from tasks.named_secrets import check_secrets
from tasks.notes import note
from tasks.repositories import access_to
from tasks.sources import source_of
from tasks.step import log, step


@step(timeout_seconds=600, name="check out {revision}")
def take_examination(
    project: str, revision: str, run: str, pull_request: int | None, fork: bool, base: str | None
) -> Order:
    """Return the order of a run that builds and tests a commit, with its files laid out, and leads nowhere.

    Whom it is told to, and with which token, says `base` alone: else any commit could have a secret sent anywhere.
    Raises Rejected for a fork's commit that asks for images of this platform, or whose Dockerfile cannot be read.
    """
    address, _, folder = project.partition("#")
    cache = Home.current().cache
    if pull_request is not None:
        fetch(address, cache, access_to(address), f"+refs/pull/{pull_request}/head:refs/pull/{pull_request}/head")
    here = find_repository(address, revision, cache, access_to)
    found = git.resolve(here, revision, folder or ".")
    source = source_of(run)
    export(here, found.sha, folder or ".", source)
    told = described_at(here, base, folder or ".").github if base else None
    app = _described(source, fork=fork).model_copy(update={"github": told})
    environment = next(iter(app.environments))
    order = Order(
        run=run,
        repository=address,
        folder=folder or ".",
        app=app,
        revision=found,
        environment=environment,
        examines=True,
    )
    note(run, "order", environment, order)
    return order


def _described(source: Path, *, fork: bool) -> App:
    """Return what the file says, of a fork without what is not its own."""
    if (source / FILE).is_symlink():
        raise Rejected(f"{FILE} is a link: what it leads to is not of the commit")
    app = apart(load_project(source))
    if not fork:
        check_secrets(app, [], list(app.suites))
        return app
    app, left_out = without_reach(app)
    for what in left_out:
        log().warning("left out, because the commit is of a fork: %s", what)
    if not app.suites and left_out:
        raise Rejected(f"nothing is left to test of a fork's commit: {'; '.join(left_out)}")
    check_images(app, source)
    return app


def check_images(app: App, source: Path) -> None:
    """Return when a fork's commit uses images alone that anybody can have; Rejected otherwise."""
    named = foreign_image_keys(app)
    for key, image in app.builds().items():
        named += [(key, name) for name in _images_of(source, image, key)]
    registries = [current_registry().address()]
    for key, name in named:
        if images_of_others([name], registries):
            raise Rejected(f"{key}: {name} is an image of this platform, and the commit is of a fork")


def _images_of(source: Path, image: Image, key: str) -> Iterator[str]:
    """Yield every image that a Dockerfile names, also in stages that are not built."""
    text = (source / image.context / image.dockerfile).read_text(encoding="utf-8", errors="surrogateescape")
    try:
        if READER in image.build_args or may_name_reader(text):
            raise NotUnderstood(f"another reader of Dockerfiles (# syntax=, {READER})")
        dockerfile = read(text, image.build_args)
        if not dockerfile.stages:  # JSON can name another reader, too
            raise NotUnderstood("no line with FROM")
    except NotUnderstood as reason:
        raise Rejected(f"{key}: {image.dockerfile} of a fork's commit is not built: {reason}") from reason
    except Misconfigured as error:
        raise Rejected(f"{key}: {image.dockerfile}: {error}") from error
    yield from (*image.bases.values(), *images_in(dockerfile))

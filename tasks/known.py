"""Which environments this platform has changed so far."""

from pydantic import ValidationError

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.journal import Journal
from delivery.changes.lease import LeaseBook
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.model import Model
from delivery.ports.store import Store
from delivery.spec.app import App
from tasks.step import log, step


class KnownPlace(Model):
    """An environment with the file it was last described by."""

    app: App
    environment: str


@step(timeout_seconds=60, keep=False)
def known_places() -> list[KnownPlace]:
    """Return every environment that a release was ever staged in."""
    return current_places()


def current_places() -> list[KnownPlace]:
    """Return the environments the journal speaks of that no other platform changed last."""
    leases = LeaseBook.of(Home.current())
    found = read_places(current_store())
    return [place for place in found if leases.is_ours(leases.read(place.app.app, place.environment))]


def read_places(store: Store) -> list[KnownPlace]:
    """Return the environments the journal speaks of and that were not removed since, in order of name."""
    names = sorted({(key.split("/")[1], key.split("/")[2]) for key in store.keys("journal")})
    places = (_place(store, app, environment) for app, environment in names)
    return [place for place in places if place]


def _place(store: Store, app: str, environment: str) -> KnownPlace | None:
    last = Journal(store, app, environment).last()
    if last is None or (last.verb, last.stage) == ("remove", "done"):
        return None
    try:
        described, _ = Archive(store).release(app, last.release.fingerprint)
    except Misconfigured:
        return None  # its release was never kept: there is nothing to look after
    except ValidationError as error:  # kept by another version of Headway: the other environments are looked after
        log().error("what is kept of %s cannot be read, %s is not looked after: %s", app, environment, error)
        return None
    return KnownPlace(app=described, environment=environment) if environment in described.environments else None

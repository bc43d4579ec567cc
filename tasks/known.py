"""Which environments this platform has changed so far."""

from pydantic import ValidationError

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.journal import Journal
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.model import Model
from delivery.ports.store import Store
from delivery.spec.app import App
from delivery.state import open_leases
from tasks.step import log, step


class KnownEnvironment(Model):
    """An environment with the file it was last described by."""

    app: App
    environment: str


@step(timeout_seconds=60, keep=False)
def known_environments() -> list[KnownEnvironment]:
    """Return every environment that a release was ever staged in."""
    return current_environments()


@step(timeout_seconds=60, keep=False)
def describe_last(app: str, environment: str) -> App:
    """Return the file by which an environment was last described; Misconfigured where nothing was ever released."""
    known = {(one.app.app, one.environment): one.app for one in current_environments()}
    if (app, environment) not in known:
        allowed = ", ".join(f"{where} of {name}" for name, where in known) or "none yet"
        raise Misconfigured(f"{environment} of {app}", "nothing was released there", allowed)
    return known[app, environment]


def current_environments() -> list[KnownEnvironment]:
    """Return the environments the journal speaks of that no other platform changed last."""
    leases = open_leases(Home.current())
    found = read_environments(current_store())
    return [one for one in found if leases.is_ours(leases.read(one.app.app, one.environment))]


def read_environments(store: Store) -> list[KnownEnvironment]:
    """Return the environments the journal speaks of and that were not removed since, in order of name."""
    names = sorted({(key.split("/")[1], key.split("/")[2]) for key in store.keys("journal")})
    environments = (_known(store, app, environment) for app, environment in names)
    return [one for one in environments if one]


def _known(store: Store, app: str, environment: str) -> KnownEnvironment | None:
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
    return KnownEnvironment(app=described, environment=environment) if environment in described.environments else None

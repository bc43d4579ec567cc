"""The release that is live, as what a drill starts on a copy of its database."""

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.ports.drills import LiveCode
from delivery.ports.rehearsals import CodeVersion
from delivery.spec.app import App, environment_of
from tasks.environment import live_release
from tasks.named_secrets import suite_secrets
from tasks.step import log


def live_code(app: App, environment: str, run: str) -> LiveCode | None:
    """Return what is live, with the suites that only read; none before a release, or where it is not known any more."""
    live = live_release(app, environment)
    if live is None:
        return None
    archive, drill = Archive(current_store()), environment_of(app, environment).backups.drill
    try:
        described, _ = archive.release(app.app, live.fingerprint)
    except Misconfigured as error:
        log().warning("what is live cannot be started on a copy: %s", error)
        return None
    suites = tuple(name for name in drill.suites if name in described.suites)
    return LiveCode(
        CodeVersion(described, {**live.images, **archive.suites(live)}),
        Home.current().work / run / "drill",
        suites,
        {name: suite_secrets(described, name) for name in suites},
    )

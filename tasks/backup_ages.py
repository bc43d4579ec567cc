"""How old the newest backup and the newest copy of each environment are."""

from datetime import UTC, datetime

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.backup_policy import BackupAges, ages_of, undamaged
from delivery.errors import HeadwayError, Rejected
from delivery.spec.app import App, environment_of
from tasks.environment import open_environment
from tasks.known import current_environments
from tasks.step import step


@step(timeout_seconds=300, name="check the age of the backups of {environment}", keep=False)
def check_ages(app: App, environment: str) -> BackupAges:
    """Return how old the newest ones are; Rejected when one is too old, or something is wrong with the copies."""
    found = look_at_ages(app, environment)
    if found.problems:
        raise Rejected("\n".join(found.problems))
    return found


def look_at_ages(app: App, environment: str) -> BackupAges:
    """Return how old the newest ones are; a place that cannot be asked is told as a problem."""
    policy = environment_of(app, environment).backups
    try:
        with open_environment(app, environment) as opened:
            kept = opened.backups.kept()
            copies = opened.second_place.copies() if opened.second_place else None
    except HeadwayError as error:
        return BackupAges(app=app.app, environment=environment, problems=(f"not known: {error}",))
    since = now = datetime.now(UTC)
    if not undamaged(kept) or (copies and not copies.newest):
        since = Archive(current_store()).began(app.app, environment) or now
    return ages_of(app.app, environment, policy, kept, copies, since=since, now=now)


def backup_ages(app: str | None, environment: str | None = None) -> list[BackupAges]:
    """Return the ages of all environments with a database, or of those asked for."""
    return [
        look_at_ages(one.app, one.environment)
        for one in current_environments()
        if app in (None, one.app.app) and environment in (None, one.environment) and one.app.database
    ]

"""The second place of an environment's backups: copies are sent there, restored to try it, and when it is needed."""

from delivery.counting import counted
from delivery.ports.backups import Restored
from delivery.ports.drills import Drill
from delivery.ports.environment import OpenEnvironment
from delivery.ports.second_place import Copies, SecondPlace, no_second_place
from delivery.spec.app import App, environment_of
from tasks.environment import open_environment
from tasks.restores import recording, tell_drill
from tasks.step import DAY_SECONDS, log, step


@step(timeout_seconds=DAY_SECONDS, name="send a backup of {environment} to its second place", keep=False)
def send_copy(app: App, environment: str, run: str) -> Copies | None:
    """Take a backup that is copied to the second place, and wait for the copy; none where there is no such place.

    Raises Rejected when the copy did not come.
    """
    with open_environment(app, environment) as opened:
        if opened.second_place is None:
            return None
        copies = opened.second_place.send(run)
    known = (counted(copies.count, "copy", "copies"), environment, copies.where, copies.lag_seconds)
    log().info("%s of %s in %s, the newest after %.0f s", *known)
    return copies


@step(timeout_seconds=DAY_SECONDS, name="drill the second place of {environment}", keep=False)
def drill_second_place(app: App, environment: str, run: str) -> Drill:
    """Return what restoring the newest copy in the second place showed; Rejected when that is not as it should be."""
    deadline = environment_of(app, environment).backups.drill.deadline_seconds
    with recording(app, environment, run, "drill in a second place") as keep:
        with open_environment(app, environment) as opened:
            shown = _of(opened, environment).drill(run, deadline_seconds=deadline)
        tell_drill(f"the drill of {environment} in {shown.where}", keep(shown))
    return shown


@step(timeout_seconds=DAY_SECONDS, retries=0, name="restore copy {backup} into {into}", keep=False)
def restore_copy(app: App, environment: str, run: str, backup: str, into: str) -> Restored:
    """Restore a copy in the second place as a new server `into`, which stays; the first place is not asked."""
    with recording(app, environment, run, "restore", backup=backup, where="second place") as keep:
        with open_environment(app, environment) as opened:
            restored = _of(opened, environment).restore(backup, into, run)
        keep(restored)
    log().info("restored %s into %s: %s", restored.backup, into, counted(restored.rows, "row"))
    return restored


def _of(opened: OpenEnvironment, environment: str) -> SecondPlace:
    if opened.second_place is None:
        raise no_second_place(environment)
    return opened.second_place

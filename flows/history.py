"""What was live when, from whom, and DORA's figures of it."""

from datetime import datetime

from delivery.changes.past import PastChange, Who, past_of
from delivery.errors import Misconfigured
from delivery.report.dora import Deployment, Figures, Told, figures_of
from delivery.report.record import DeliveryRecord
from tasks.known import current_environments
from tasks.marks import bad_releases
from tasks.records import archive, environments_with_history, journal, newest_record


def history(app: str, environment: str | None, count: int) -> list[PastChange]:
    """Return the newest changes of an environment, or of each of the application, the newest first.

    Raises Misconfigured for one that nothing was ever released into.
    """
    kept, bad = archive(), bad_releases(app)
    rows = [
        row
        for name in _chosen(app, environment)
        for row in past_of(app, name, kept.history(app, name), bad, who_of, count)
    ]
    return sorted(rows, key=lambda row: row.at, reverse=True)[:count]


def figures(
    app: str, environment: str | None, since: datetime, until: datetime
) -> list[tuple[Figures, list[Deployment]]]:
    """Return DORA's figures of an environment, or of each of the application, with the deployments they are made from.

    Raises Misconfigured for one that nothing was ever released into.
    """
    bad = bad_releases(app)
    return [
        figures_of(app, name, _told(app, name, frozenset(bad)), since=since, until=until)
        for name in _chosen(app, environment)
    ]


def who_of(run: str) -> Who:
    """Return who asked for a run and who let its release in, as far as its record tells."""
    record = newest_record(run)
    return who_in(record) if record else Who()


def who_in(record: DeliveryRecord) -> Who:
    """Return who is told in a record; an approval that the policy gave is nobody's."""
    people = [one.approver for one in record.decisions if not one.unattended and one.decision == "approve"]
    return Who(requested_by=record.requested_by, let_in_by=people[-1] if people else "")


def _told(app: str, environment: str, bad: frozenset[str]) -> Told:
    entries = archive().history(app, environment)
    withdrawn = {entry.run for entry in entries if entry.happening == "withdrawn"}
    records = {run: newest_record(run) for run in withdrawn}
    rollbacks = {run for run, record in records.items() if record and record.kind == "rollback"}
    return Told(entries, journal(app, environment).moments(), bad, rollbacks)


def _chosen(app: str, environment: str | None) -> list[str]:
    known = [one.environment for one in current_environments() if one.app.app == app]
    names = list(dict.fromkeys([*known, *environments_with_history(app)]))
    if environment is None and names:
        return names
    if environment not in names:
        where = f"{environment} of {app}" if environment else app
        raise Misconfigured(where, "nothing was released there", ", ".join(names) or "none yet")
    return [environment]

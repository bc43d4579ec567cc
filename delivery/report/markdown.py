"""The report and the question at the approval as Markdown, as the Prefect UI shows it."""

import re
from collections.abc import Iterable, Sequence

from delivery.counting import counted
from delivery.ports.cells import CellResult
from delivery.ports.observation import Fallback
from delivery.releases.change import Change
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.releases.rehearsal import ROLLBACK, Rehearsal
from delivery.report.record import DeliveryRecord
from delivery.report.timeline import critical_path
from delivery.spec.checks import CheckResult
from delivery.spec.hooks import HookResult

LONGEST = 12
MOST_STATEMENTS, LONGEST_STATEMENT = 20, 90


def report_markdown(record: DeliveryRecord) -> str:
    """Return the report in short; the page it names holds the pictures."""
    verb = "rolled back" if record.kind == "rollback" and record.outcome == "delivered" else record.outcome
    parts = [f"# {record.name}: {verb} in {record.seconds:.1f} s"]
    if record.reason:
        parts.append(_block(record.reason))
    parts.append(_list(_facts(record)))
    if record.cells or record.acceptance:
        parts.append("## Tests\n\n" + _tests([*record.cells, *record.acceptance]))
    if record.checks:
        parts.append("## Checks\n\n" + _checks(record.checks))
    if record.hooks:
        parts.append("## Hooks\n\n" + _hooks(record.hooks))
    if record.scans:
        rows = [(scan.image, str(scan.findings), scan.worst or "–", scan.database) for scan in record.scans]
        parts.append("## Scan\n\n" + _table(("image", "findings", "by severity", "database"), rows))
    if record.releases:
        parts.append("## Traffic\n\n" + _list(_traffic(record)))
    if record.backups or record.restores:
        parts.append("## Backup\n\n" + _list(_backups(record)))
    if record.steps:
        parts.append(f"## The longest of {counted(len(record.steps), 'step')}\n\n" + _steps(record))
    return "\n\n".join(part for part in parts if part) + "\n"


def change_markdown(change: Change) -> str:
    """Return what a release changes against what is live."""
    release, live = change.release, change.live
    against = f"`{live.fingerprint}` ({live.revision.short})" if live else "nothing: this is the first release"
    revision = release.revision
    lines = [
        f"release `{release.fingerprint}` of {release.app}, {revision.short}: {_plain(revision.subject)}",
        f"live now: {against}",
        f"images that change: {', '.join(change.images) or 'none'}",
        f"migrations: {'yes' if change.migrations else 'no'}; configuration: {'yes' if change.configuration else 'no'}",
        f"scan: {change.findings or 'not known'}",
        f"tests: {change.tests or 'not known'}",
        *([f"images: {_plain(change.stand_ins)}"] if change.stand_ins else []),
        *([f"infrastructure: {change.infrastructure.summary()}"] if change.infrastructure else []),
    ]
    commits = [f"`{commit.sha[:7]}` {_plain(commit.subject)} ({_plain(commit.author)})" for commit in change.commits]
    parts = [f"**{change.environment}**: let this release in?", _list(lines)]
    if commits:
        parts += [f"{counted(len(commits), 'commit')}:", _list(commits)]
    if change.rehearsal:
        parts += list(_rehearsal(change.rehearsal))
    if change.infrastructure:
        parts += list(_plan(change.infrastructure))
    return "\n\n".join(parts) + "\n"


def _rehearsal(shown: Rehearsal) -> Iterable[str]:
    """Yield what going back needs, how the code got on, what each statement cost, and what the linter says."""
    yield f"**{ROLLBACK[shown.rollback]}**; the migrations were rehearsed on {_plain(shown.data)}:"
    told = [shown.problem, shown.inconclusive, *(cell.describe() for cell in shown.cells), *shown.remarks]
    yield _list(_plain(line) for line in told if line)
    if shown.statements:
        rows = [
            (
                _plain(_short(one.sql)),
                one.lock.lower() or "none",
                _plain(", ".join(one.tables)),
                f"{one.seconds:.3f} s",
                f"{one.locked_seconds:.3f} s",
            )
            for one in shown.statements[:MOST_STATEMENTS]
        ]
        yield _table(("statement", "strongest lock", "on", "took", "held for"), rows)
        more = len(shown.statements) - MOST_STATEMENTS
        yield f"SQL `{shown.sql_sha256[:12]}`, {counted(len(shown.statements), 'statement')}" + (
            f"; {more} of them are not shown here" if more > 0 else ""
        )
    if shown.findings:
        yield _list(_plain(one.describe()) for one in shown.findings)


def _short(sql: str) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= LONGEST_STATEMENT else f"{line[: LONGEST_STATEMENT - 1]}…"


def _plan(plan: InfrastructurePlan) -> Iterable[str]:
    """Yield what a plan changes, what was changed beside it, and what is lost by it."""
    until = f"{plan.expires_at:%Y-%m-%d %H:%M} UTC"
    yield f"plan `{plan.short}` for workspace {_plain(plan.workspace)}, good until {until}:"
    yield _list(_plain(str(one)) for one in plan.changes) if plan.changes else plan.summary()
    if plan.drift:
        yield "changed beside it, and changed back:"
        yield _list(_plain(str(one)) for one in plan.drift)
    if plan.protected:
        lost = ", ".join(map(_plain, plan.protected))
        yield f"**What holds data is destroyed or replaced: {lost}.** Only the word `{plan.environment}` allows that."


def _facts(record: DeliveryRecord) -> Iterable[str]:
    if record.revision:
        revision = record.revision
        yield f"revision `{revision.short}` {_plain(revision.subject)} ({_plain(revision.author)})"
    if record.requested_by:
        yield f"asked for by {_plain(record.requested_by)}"
    if record.skipped:
        yield f"in place of earlier pushes: {', '.join(f'`{sha[:7]}`' for sha in record.skipped)}"
    if record.release:
        yield f"release `{record.release.fingerprint}`"
    if record.url:
        yield f"application: <{record.url}>"
    for decision in record.decisions:
        who = "nobody was asked" if decision.unattended else f"{decision.decision} by {_plain(decision.approver)}"
        yield f"approval of {decision.environment}: {who}" + (
            f" – {_plain(decision.comment)}" if decision.comment else ""
        )
    for shown in record.rehearsals:
        yield f"migrations of {shown.environment}: {_plain(shown.describe())}"
    for plan in record.infrastructure:
        yield f"infrastructure of {plan.environment}: {plan.summary()} (plan `{plan.short}`)"
    for takeover in record.takeovers:
        yield _plain(takeover.describe())
    for base in record.substitutes:
        yield f"stand-in: {_plain(base.describe())}"
    for line in record.losses:
        yield f"**lost with each release**: {_plain(line)}"
    if record.report:
        yield f"the whole report: `{record.report}`"


def _tests(cells: Sequence[CellResult]) -> str:
    rows = [
        (
            _plain(cell.cell.name),
            _outcome(cell),
            str(cell.tests) if cell.junit_found else "exit code only",
            str(cell.failures + cell.errors),
            f"{cell.seconds:.1f} s",
        )
        for cell in cells
    ]
    return _table(("cell", "outcome", "tests", "failed", "time"), rows)


def _outcome(cell: CellResult) -> str:
    said = [part for part in (cell.problem, *cell.remarks) if part]
    return f"{'✓' if cell.outcome == 'passed' else '✗'} {cell.outcome}{': ' if said else ''}{_plain('; '.join(said))}"


def _checks(checks: Sequence[CheckResult]) -> str:
    rows = [
        (one.environment, one.at, _plain(one.label), _plain(one.problem) or "passed", f"{one.seconds:.1f} s")
        for one in checks
    ]
    return _table(("environment", "at", "check", "outcome", "time"), rows)


def _hooks(hooks: Sequence[HookResult]) -> str:
    rows = [
        (one.environment, one.at, _plain(one.label), _plain(one.problem) or "ended well", f"{one.seconds:.1f} s")
        for one in hooks
    ]
    return _table(("environment", "at", "hook", "outcome", "time"), rows)


def _traffic(record: DeliveryRecord) -> Iterable[str]:
    for release in record.releases:
        yield f"{release.environment}: {release.counted()}"
        for ended in release.ended:
            yield f"{release.environment}: {_plain(ended.describe())}"
        for fallback in release.fallbacks:
            yield f"{release.environment}: {_went_back(fallback)}: {_plain(fallback.reason)}"
        if release.spent_seconds:
            parts = ", ".join(f"{verb} {seconds:.1f} s" for verb, seconds in release.spent_seconds.items())
            yield f"{release.environment}: {parts}"


def _went_back(fallback: Fallback) -> str:
    if fallback.seconds is None:
        return "traffic was not put back at once"
    return f"traffic went back {fallback.seconds:.2f} s after the first sign of a fault"


def _backups(record: DeliveryRecord) -> Iterable[str]:
    for backup in record.backups:
        figures = f"RPO {backup.rpo_seconds:.2f} s, RTO {backup.rto_seconds:.2f} s"
        rows = f"{counted(backup.tables, 'table')}, {counted(backup.rows, 'row')}"
        yield f"{backup.environment}: {rows} came back; {figures}"
    if record.backups and record.unproven:
        yield f"not in the proof, which is of the database alone: {_plain(', '.join(record.unproven))}"
    for seen in record.restores:
        for one in seen.last:
            yield f"{seen.environment}: last {_plain(one.describe())}"


def _steps(record: DeliveryRecord) -> str:
    path = critical_path(record.steps)
    longest = sorted(record.steps, key=lambda step: -step.seconds)[:LONGEST]
    rows = [
        (step.phase, _plain(step.name), f"{step.seconds:.1f} s", "critical" if step in path else "", step.outcome)
        for step in record.steps
        if step in longest
    ]
    return _table(("phase", "step", "time", "", "outcome"), rows)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _block(text: str) -> str:
    """Return `text` as it is, in a fence that it cannot end."""
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def _plain(text: str) -> str:
    """Return one line in which nothing is read as a table's or a link's sign."""
    line = " ".join(text.split())
    for sign in ("\\", "|", "<", "`", "[", "*", "_"):
        line = line.replace(sign, "&lt;" if sign == "<" else f"\\{sign}")
    return line

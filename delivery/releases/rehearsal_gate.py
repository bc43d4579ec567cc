"""Whether a release may go on with what its rehearsal showed."""

from collections.abc import Iterator

from delivery.errors import Rejected
from delivery.releases.rehearsal import Rehearsal
from delivery.spec.rehearsal import RehearsalPolicy

_KEY = "database.migrate.rehearsal"
_SPLIT = (
    "let the schema grow first, in a release whose code gets on with both, and shrink in a later one "
    "(docs/migrations.md); or {} lets it pass"
)


def check_rehearsal(policy: RehearsalPolicy, shown: Rehearsal) -> None:
    """Return when nothing that the rehearsal showed stops the release; Rejected, with all that does, otherwise.

    What is not known stops nothing: it is told where somebody decides.
    """
    if problems := list(_problems(policy, shown)):
        raise Rejected("\n".join(problems))


def _problems(policy: RehearsalPolicy, shown: Rehearsal) -> Iterator[str]:
    if shown.problem:
        yield f"the migrations failed on a copy ({shown.data}): {shown.problem}"
        return
    new = shown.outcome("new", "new")
    if new and new.outcome == "failed":
        yield f"the new code does not run on the new schema: {new.problem}\n  next: mend the code or its migrations"
    if policy.breaking == "block" and shown.rollback in ("down", "recovery"):
        yield (
            f"the live code does not run on the new schema, and has users when it comes: {shown.obstacle}\n"
            f"  next: {_SPLIT.format(f'{_KEY}.breaking: tell')}"
        )
    longest, most = shown.longest_lock, policy.most_locked_seconds
    if longest and most is not None and longest.locked_seconds > most:
        yield (
            f"{_KEY}.most_locked_seconds: {', '.join(longest.tables)} would be locked ({longest.lock}) for "
            f"{longest.locked_seconds:.2f} s (allowed: {most:g} s) by {longest.sql}\n"
            "  next: take it in smaller steps, or in one that locks less"
        )
    blocking = [one for one in shown.findings if one.advice == "block"]
    for one in blocking:
        yield f"{_KEY}.lint: {one.describe()}: {one.sql}\n  next: mend it, or waive {one.rule} with a reason and a day"

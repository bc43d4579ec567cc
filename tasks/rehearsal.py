"""Rehearse what a release's migrations do, and what going back over them needs: before anything is touched."""

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import SecretStr

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.migrations.lint import weigh
from delivery.model import hash_of
from delivery.ports.backups import KeptBackup
from delivery.ports.rehearsals import ALL, ROLLBACK_ONLY, CodeVersion, RehearsalRequest
from delivery.programs import squawk
from delivery.releases.migrations import same_migrations
from delivery.releases.order import Built, Order
from delivery.releases.rehearsal import SCHEMA_ALONE, Code, LintRemark, Rehearsal, Schema, Statement
from delivery.releases.rehearsal_gate import check_rehearsal
from delivery.releases.release import Evidence, ImageRef, Release
from delivery.spec.app import App
from delivery.spec.database import MOST_MIGRATION_SECONDS, Migration
from tasks.environment import live_release, open_environment
from tasks.migration import contracted_before, due_contracts
from tasks.named_secrets import suite_secrets
from tasks.notes import note
from tasks.services import open_services
from tasks.step import log, step

KIND = "rehearsal"  # of notes


# Its own `timeout_seconds` count: this one is for a place that does not answer any more.
@step(timeout_seconds=MOST_MIGRATION_SECONDS, name="rehearse the migrations of {environment}", keep=False)
def rehearse_migrations(order: Order, built: Built, release: Release, environment: str) -> Rehearsal | None:
    """Return what the release's migrations did on a copy, and how both versions of the code got on with it.

    None where there is nothing to go wrong: no migrations, nothing live, or the same migrations as what is live. What
    equal inputs showed is not shown again. Raises Rejected when the policy says that what was shown stops the release.
    """
    migration = migration_of(order.app)
    live = live_release(order.app, environment) if migration else None
    if migration is None or live is None or not migration.rehearsal.enabled:
        return None
    if same_migrations(order.app, live, release) and not due_contracts(order, environment, release):
        log().info("the migrations are those of %s, which is live: nothing to rehearse", live.fingerprint)
        return None
    new = CodeVersion(order.app, {**release.images, **_suites(built)})
    try:
        shown = rehearsed(order, live, release, new, environment, ALL if migration.rehearsal.suites else ALL[:-1])
    except Misconfigured as error:  # what is live may not be known any more: that stops no release
        log().warning("the migrations could not be rehearsed: %s", error)
        return None
    shown = shown.model_copy(update={"environment": environment})
    note(order.run, KIND, environment, shown)
    with suppress(FileExistsError):  # kept by an earlier attempt
        Archive(current_store()).add_evidence(release, _evidence(shown, environment))
    _tell(shown)
    check_rehearsal(migration.rehearsal, shown)
    return shown


def rehearsed(
    order: Order,
    live: Release,
    release: Release,
    new: CodeVersion,
    environment: str,
    cells: tuple[tuple[Code, Schema], ...] = ROLLBACK_ONLY,
) -> Rehearsal:
    """Return what a rehearsal shows, or what one of equal inputs showed before, unless that proved nothing."""
    archive = Archive(current_store())
    described, _ = archive.release(live.app, live.fingerprint)
    old = CodeVersion(described, {**live.images, **archive.suites(live)})
    migration = migration_of(order.app)
    assert migration
    backup = newest_proven(order.app, environment) if migration.rehearsal.data == "backup" else None
    ran = contracted_before(order, environment)
    waits: dict[Code, frozenset[str]] = {
        "old": frozenset(live.contracts) - ran,
        "new": frozenset(release.contracts) - ran - due_contracts(order, environment, release),
    }
    inputs = _inputs(old, new, live, release, backup, cells, waits)
    if known := archive.rehearsal(release.app, live, release, inputs):
        log().info("rehearsed before, with the same inputs, on %s", f"{known.at:%Y-%m-%d %H:%M}")
        return weighed(migration, known)
    shown = _rehearse(order, old, new, backup, cells, migration, waits).model_copy(
        update={
            "inputs": inputs,
            "live": live.fingerprint,
            "release": release.fingerprint,
            "waited": tuple(sorted(waits["new"])),
        }
    )
    archive.keep_rehearsal(shown)
    return weighed(migration, shown)


def weighed(migration: Migration, shown: Rehearsal) -> Rehearsal:
    """Return what was shown with what its linter's remarks are worth today."""
    if not shown.linted:  # nothing was said, or it was kept when only findings were
        return shown
    findings = tuple(weigh(migration.rehearsal.lint, shown.linted, date.today()))
    return shown.model_copy(update={"findings": findings})


def newest_proven(app: App, environment: str) -> KeptBackup | None:
    """Return the newest backup of the environment that was restored as it was, and whose files are on this machine."""
    with open_environment(app, environment) as opened:
        proven = [one for one in opened.backups.kept() if one.proof and one.proof.outcome == "pass"]
    return next((one for one in proven if Path(one.where).is_dir()), None)


def migration_of(app: App) -> Migration | None:
    """Return how the application migrates, or none when it does not."""
    return app.database.migrate if app.database else None


def _rehearse(
    order: Order,
    old: CodeVersion,
    new: CodeVersion,
    backup: KeptBackup | None,
    cells: tuple[tuple[Code, Schema], ...],
    migration: Migration,
    waits: Mapping[Code, frozenset[str]],
) -> Rehearsal:
    started = time.monotonic()
    secrets: Mapping[str, Mapping[str, SecretStr]] = {
        name: suite_secrets(order.app, name) for name in migration.rehearsal.suites
    }
    asked = RehearsalRequest(
        old,
        new,
        run=order.run,
        logs=Home.current().work / order.run / "rehearsal",
        dump=Path(backup.where) if backup else None,
        secrets=secrets,
        cells=cells,
        waits=waits,
    )
    seen = open_services().rehearsals.rehearse(asked)
    return Rehearsal(
        app=order.app.app,
        inputs="",
        at=datetime.now(UTC),
        live="",
        release="",
        data=f"backup {backup.name}" if backup else SCHEMA_ALONE,
        applied=seen.applied,
        statements=seen.statements,
        sql_sha256=hash_of([one.sql for one in seen.statements]),
        linted=_linted(seen.statements, seen.version),
        cells=seen.cells,
        problem=seen.problem,
        inconclusive=seen.inconclusive,
        remarks=seen.remarks,
        steps_back=seen.steps_back,
        back_to=seen.back_to,
        seconds=round(time.monotonic() - started, 3),
    )


def _linted(statements: tuple[Statement, ...], version: str) -> tuple[LintRemark, ...]:
    """Return the linter's remarks, each with its statement."""
    texts = [one.sql for one in statements]
    alone = any("concurrently" in text.lower() for text in texts)  # what no transaction may have around it
    found = squawk.lint(texts, version or "15.0", in_transaction=not alone)
    return tuple(LintRemark(rule=one.rule, message=one.message, sql=texts[one.statement]) for one in found)


def _inputs(
    old: CodeVersion,
    new: CodeVersion,
    live: Release,
    release: Release,
    backup: KeptBackup | None,
    cells: tuple[tuple[Code, Schema], ...],
    waits: Mapping[Code, frozenset[str]],
) -> str:
    """Return a hash of all that a rehearsal's outcome depends on; what the linter's words are worth is none of it."""
    policy = migration_of(new.app)
    assert policy
    return hash_of(
        {
            "old": [live.migrations_hash, {name: ref.digest for name, ref in old.images.items()}],
            "new": [release.migrations_hash, {name: ref.digest for name, ref in new.images.items()}],
            "services": [_described(version.app) for version in (old, new)],
            "data": backup.name if backup else "",
            "suites": [new.app.suites[name].model_dump(mode="json") for name in policy.rehearsal.suites],
            "down": policy.down,
            "cells": cells,
            "waits": {code: sorted(names) for code, names in waits.items() if names},
        }
    )[:32]


def _described(app: App) -> object:
    parts = {**app.services, **app.backing}
    return {name: part.model_dump(mode="json") for name, part in parts.items()}


def _suites(built: Built) -> dict[str, ImageRef]:
    return {image.name: image.ref for image in built.suites}


def _evidence(shown: Rehearsal, environment: str) -> Evidence:
    known = {"safe": "pass", "unknown": "inconclusive"}
    return Evidence.model_validate(
        {
            "kind": "rehearsal",
            "subject": environment,
            "at": shown.at,
            "outcome": "fail" if shown.problem else known.get(shown.rollback, "fail"),
            "summary": shown.describe(),
            "details": shown.model_dump(mode="json"),
        }
    )


def _tell(shown: Rehearsal) -> None:
    lines = [shown.describe(), *(cell.describe() for cell in shown.cells), *shown.remarks]
    longest = shown.longest_lock
    if longest:
        lines.append(f"{longest.lock} of {', '.join(longest.tables)} for {longest.locked_seconds:.3f} s: {longest.sql}")
    lines += [one.describe() for one in shown.findings]
    tell = log().info if shown.rollback == "safe" else log().warning
    tell("%s", "\n  ".join(lines))


def described_version(app: str, release: Release) -> CodeVersion:
    """Return a kept release as a version of the code; Misconfigured when it is not kept."""
    archive = Archive(current_store())
    described, _ = archive.release(app, release.fingerprint)
    if migration_of(described) is None:
        raise Misconfigured(f"release {release.fingerprint} of {app}", "has no migrations")
    return CodeVersion(described, {**release.images, **archive.suites(release)})

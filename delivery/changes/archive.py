"""What is kept of releases and runs in the artifact store, and under which keys."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Literal

from delivery.errors import Misconfigured
from delivery.model import Model
from delivery.ports.store import Store
from delivery.releases.rehearsal import Rehearsal
from delivery.releases.release import Evidence, ImageRef, Release
from delivery.spec.app import App

Happening = Literal["released", "rolled-back", "withdrawn", "removed", "contracted"]


class HistoryEntry(Model):
    """One change of an environment."""

    at: datetime
    run: str
    happening: Happening
    release: Release
    replaced: str | None = None
    contracted: tuple[str, ...] = ()  # migrations that shrank the schema, once nobody could go back


class Archive:
    """Releases with their evidence, and the history of the environments."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def keep_release(self, app: App, release: Release) -> None:
        """Keep `release` with the file it was described by; nothing happens when it is kept already."""
        folder = f"releases/{release.app}/{release.fingerprint}"
        for name, model in (("release", release), ("app", app)):
            if not self._has(f"{folder}/{name}.json"):
                self.store.put(f"{folder}/{name}.json", model.model_dump_json(indent=2).encode())

    def release(self, app: str, fingerprint: str) -> tuple[App, Release]:
        """Return a kept release; `fingerprint` may be shortened. Misconfigured when it is not there."""
        known = self.fingerprints(app)
        matching = [name for name in known if name.startswith(fingerprint)]
        if len(matching) != 1:
            found = "no release" if not matching else f"several releases ({', '.join(matching)})"
            raise Misconfigured(f"release {fingerprint} of {app}", found, ", ".join(known[-5:]) or "none kept yet")
        folder = f"releases/{app}/{matching[0]}"
        return (
            App.model_validate_json(self.store.get(f"{folder}/app.json")),
            Release.model_validate_json(self.store.get(f"{folder}/release.json")),
        )

    def fingerprints(self, app: str) -> list[str]:
        """Return the fingerprints of all kept releases of `app`."""
        return sorted({key.split("/")[2] for key in self.store.keys(f"releases/{app}")})

    def add_evidence(self, release: Release, evidence: Evidence) -> None:
        """Keep one more thing known of `release`."""
        moment = _moment(evidence.at)
        key = f"releases/{release.app}/{release.fingerprint}/evidence/{moment}-{evidence.kind}.json"
        self.store.put(key, evidence.model_dump_json(indent=2).encode())

    def evidence(self, release: Release) -> list[Evidence]:
        """Return everything known of `release`, oldest first."""
        prefix = f"releases/{release.app}/{release.fingerprint}/evidence"
        return [Evidence.model_validate_json(self.store.get(key)) for key in self.store.keys(prefix)]

    def suites(self, release: Release) -> dict[str, ImageRef]:
        """Return the images of the suites that `release` passed, as `suite-<name>`; none where that is not known."""
        for evidence in reversed(self.evidence(release)):
            if evidence.kind == "tests":
                told = evidence.details.get("suites", {})
                return {name: ImageRef.model_validate(ref) for name, ref in told.items()}
        return {}

    def keep_rehearsal(self, shown: Rehearsal) -> None:
        """Keep what a rehearsal showed, for all that ask with equal inputs; one that is not conclusive answers none."""
        name = shown.inputs if shown.conclusive else f"{shown.inputs}-{_moment(shown.at)}"
        try:
            self.store.put(_rehearsal_key(shown.app, shown.live, shown.release, name), _dumped(shown))
        except FileExistsError:  # another run showed the same meanwhile
            return

    def rehearsal(self, app: str, live: Release, release: Release, inputs: str) -> Rehearsal | None:
        """Return what a rehearsal with these inputs showed, when there was one."""
        try:
            key = _rehearsal_key(app, live.fingerprint, release.fingerprint, inputs)
            return Rehearsal.model_validate_json(self.store.get(key))
        except FileNotFoundError:
            return None

    def rehearsals(self, app: str, old: Release, new: Release) -> list[Rehearsal]:
        """Return what all rehearsals of going from one release to another showed, oldest first."""
        folder = _rehearsal_key(app, old.fingerprint, new.fingerprint, "").rpartition("/")[0]
        found = [Rehearsal.model_validate_json(self.store.get(key)) for key in self.store.keys(folder)]
        return sorted(found, key=lambda one: one.at)

    def add_history(self, environment: str, entry: HistoryEntry) -> None:
        """Append to the history of an environment."""
        key = f"history/{entry.release.app}/{environment}/{_moment(entry.at)}-{entry.happening}.json"
        self.store.put(key, entry.model_dump_json(indent=2).encode())

    def history(self, app: str, environment: str) -> list[HistoryEntry]:
        """Return the changes of an environment, oldest first."""
        keys = self.store.keys(f"history/{app}/{environment}")
        return [HistoryEntry.model_validate_json(self.store.get(key)) for key in keys]

    def began(self, app: str, environment: str) -> datetime | None:
        """Return when the environment had its first release since it was last removed; none before that."""
        return next((entry.at for entry in _since_removal(self.history(app, environment))), None)

    def choose(
        self,
        app: str,
        environment: str,
        live: Release,
        asked: str | None,
        *,
        within: int,
        override: bool = False,
        marked: Collection[str] = (),
    ) -> Release:
        """Return the release to go back to: `asked`, or the newest other one that was live here.

        Only the last `within` releases of the environment can be chosen, none from before the environment was removed,
        and none that never came through its watch here, unless `override` is on. Without `asked` none of `marked`,
        fingerprints that somebody called bad. A rollback that failed takes no release away: one that was live stays
        possible, and without `asked` comes after those whose last change went well. Raises Misconfigured.
        """
        where = f"rollback of {environment} of {app}"
        entries = _since_removal(self.history(app, environment))
        bad, failed = _never_live(entries), _last_failed(entries)
        kept = _newest_first(entries, with_withdrawn=override)[: within + 1]
        good = [r for r in kept if r.fingerprint != live.fingerprint and (override or r.fingerprint not in bad)]
        allowed = ", ".join(f"{r.fingerprint} ({r.revision.short} {r.revision.subject})" for r in good) or "none"
        if asked is None:
            good = [release for release in good if release.fingerprint not in marked]
            if not good:
                raise Misconfigured(where, "there is no earlier release that was live and healthy", "none")
            return min(good, key=lambda release: release.fingerprint in failed)  # of equals the first, the newest
        if live.fingerprint.startswith(asked):
            raise Misconfigured(where, f"{asked} is live already", allowed)
        if not override and any(fingerprint.startswith(asked) for fingerprint in bad):
            raise Misconfigured(
                where, f"{asked} was withdrawn here, because it was unhealthy", allowed, "--override to try it again"
            )
        matching = [release for release in good if release.fingerprint.startswith(asked)]
        if len(matching) != 1:
            found = "is not there" if not matching else "fits several releases"
            raise Misconfigured(where, f"{asked} {found}", allowed)
        return matching[0]

    def last_failure(self, app: str, environment: str, release: Release) -> HistoryEntry | None:
        """Return the withdrawal that is the last thing `release` went through here, when there is one."""
        own = [one for one in self.history(app, environment) if one.release.fingerprint == release.fingerprint]
        return own[-1] if own and own[-1].happening == "withdrawn" else None

    def _has(self, key: str) -> bool:
        try:
            self.store.get(key)
        except FileNotFoundError:
            return False
        return True


def _rehearsal_key(app: str, old: str, new: str, inputs: str) -> str:
    return f"rehearsals/{app}/{old}/{new}/{inputs}.json"


def _dumped(value: Model) -> bytes:
    return value.model_dump_json(indent=2).encode()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def _newest_first(entries: list[HistoryEntry], *, with_withdrawn: bool) -> list[Release]:
    """Return each release that was live once (or only staged), the last one first."""
    live: dict[str, Release] = {}
    for entry in reversed(entries):
        if with_withdrawn or entry.happening != "withdrawn":
            live.setdefault(entry.release.fingerprint, entry.release)
    return list(live.values())


def _since_removal(entries: list[HistoryEntry]) -> list[HistoryEntry]:
    """Return what came after the environment was last removed: images of before are gone."""
    removals = [number for number, entry in enumerate(entries, 1) if entry.happening == "removed"]
    return entries[max(removals, default=0) :]


def _last_failed(entries: list[HistoryEntry]) -> set[str]:
    """Return the fingerprints of releases whose last word here is that they were withdrawn."""
    last = {entry.release.fingerprint: entry.happening for entry in entries}
    return {fingerprint for fingerprint, happening in last.items() if happening == "withdrawn"}


def _never_live(entries: list[HistoryEntry]) -> set[str]:
    """Return the fingerprints of releases that were withdrawn here and never came through their watch."""
    live = {entry.release.fingerprint for entry in entries if entry.happening in ("released", "rolled-back")}
    return _last_failed(entries) - live

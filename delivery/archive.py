"""What is kept of releases and runs in the artifact store, and under which keys."""

from datetime import UTC, datetime
from typing import Literal

from delivery.app import App
from delivery.errors import Misconfigured
from delivery.model import Model
from delivery.release import Evidence, Release
from delivery.store import Store

Happening = Literal["released", "rolled-back", "withdrawn"]


class HistoryEntry(Model):
    """One change of an environment."""

    at: datetime
    run: str
    happening: Happening
    release: Release
    replaced: str | None = None


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

    def add_history(self, environment: str, entry: HistoryEntry) -> None:
        """Append to the history of an environment."""
        key = f"history/{entry.release.app}/{environment}/{_moment(entry.at)}-{entry.happening}.json"
        self.store.put(key, entry.model_dump_json(indent=2).encode())

    def history(self, app: str, environment: str) -> list[HistoryEntry]:
        """Return the changes of an environment, oldest first."""
        keys = self.store.keys(f"history/{app}/{environment}")
        return [HistoryEntry.model_validate_json(self.store.get(key)) for key in keys]

    def previous(self, app: str, environment: str, live: Release, *, within: int) -> Release:
        """Return the newest other release that was live before; Misconfigured when there is none in the last `within`."""
        entries = self.history(app, environment)
        bad = {entry.release.fingerprint for entry in entries if entry.happening == "withdrawn"}
        good: list[Release] = []
        for entry in reversed(entries):
            fingerprint = entry.release.fingerprint
            known = {release.fingerprint for release in good}
            if fingerprint not in known | bad | {live.fingerprint}:
                good.append(entry.release)
        if not good[:within]:
            raise Misconfigured(f"{environment} of {app}", "no earlier release to go back to", "releases kept: 0")
        return good[0]

    def _has(self, key: str) -> bool:
        try:
            self.store.get(key)
        except FileNotFoundError:
            return False
        return True


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")

"""The append-only record of what was about to be done to an environment, and what was done.

An intent is written before its effect. Whoever takes over an abandoned environment reads the journal and the target
and knows enough to finish or to withdraw: nothing depends on the memory of a process.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from delivery.errors import Misconfigured
from delivery.model import Model
from delivery.ports.store import Store
from delivery.releases.release import Release

NEWEST_FIRST, LAST_SEQUENCE = "newest-first", 99_999_999
BEGIN_CHANGE = ("migrate", "stage", "remove")
COME = ("migrate", "stage")  # what a release does when it comes; a restore writes others in the name of what is live

Verb = Literal[
    "start-database",
    "migrate",
    "end-migration",
    "stage",
    "shift",
    "watch",
    "withdraw",
    "settle",
    "retire",
    "restore",
    "use-database",
    "drop-database",
    "remove",
]
Decision = Literal["withdraw", "retire", "remove", "end-migration", "nothing"]


class Entry(Model):
    """One line of the journal."""

    at: datetime
    app: str
    environment: str
    sequence: int
    run: str
    verb: Verb
    stage: Literal["intent", "done", "failed"]
    release: Release
    detail: str = ""


class Moment(NamedTuple):
    """What the name of an entry tells of it, without reading it."""

    at: datetime
    verb: str
    stage: str


class Journal:
    """The journal of one environment, one object an entry; those of the newest lease are the first that a store lists.

    So what is new is read with as few requests as ever, however long the journal is by now. Journals of older versions
    list the oldest first; they are read as well, and nothing is added to them.
    """

    def __init__(self, store: Store, app: str, environment: str) -> None:
        self.store = store
        self.app, self.environment = app, environment

    def write(self, entry: Entry) -> None:
        """Append `entry`; entries sort by sequence, then time."""
        moment = entry.at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        key = f"{self._of_lease(entry.sequence)}/{moment}-{entry.verb}-{entry.stage}.json"
        self.store.put(key, entry.model_dump_json(indent=2).encode())

    def entries(self, sequence: int | None = None) -> list[Entry]:
        """Return the entries in order, those of one lease when `sequence` is given."""
        return [Entry.model_validate_json(self.store.get(key)) for key in self._keys(sequence)]

    def last(self) -> Entry | None:
        """Return the newest entry of the newest lease; all the others are not read."""
        newest = self.last_sequence()
        keys = [] if newest is None else self._keys(newest)
        return Entry.model_validate_json(self.store.get(keys[-1])) if keys else None

    def last_sequence(self) -> int | None:
        """Return the sequence of the newest entry."""
        newest = next(iter(self.store.keys(self._newest_first)), None)
        if newest is not None:
            return _sequence_of(newest)
        return max(map(_sequence_of, self.store.keys(self._prefix)), default=None)

    def came_at(self, release: str) -> datetime:
        """Return the moment just before a release, named by the start of its fingerprint, came here the last time.

        One that was staged once came with the first run that migrated for it: also one that failed may have changed
        data. Runs that migrate for what is live already, as those that shrink do, are no coming. Misconfigured for a
        name that fits none of those that came, with them, or several, with which.
        """
        entries = self.entries()
        coming = [one for one in entries if one.verb in COME and one.stage == "intent"]
        known = list(dict.fromkeys(one.release.fingerprint for one in reversed(coming)))
        fitting = [fingerprint for fingerprint in known if release and fingerprint.startswith(release)]
        if len(fitting) != 1:
            found = f"fits {len(fitting)} releases" if fitting else f"never came to {self.environment}"
            raise Misconfigured(f"release {release} of {self.app}", found, ", ".join(fitting or known) or "none yet")
        own = [one for one in coming if one.release.fingerprint == fitting[0]]
        staged = list(dict.fromkeys(one.run for one in own if one.verb == "stage"))
        run = staged[-1] if len(staged) > 1 else own[0].run
        return next(one.at for one in entries if one.run == run and one.stage == "intent")

    def moments(self) -> list[Moment]:
        """Return when what was meant and done, in order of time; no entry is read for it."""
        names = (key.rpartition("/")[2].removesuffix(".json") for key in self.store.keys(self._prefix))
        return sorted(_moment_of(name) for name in names)

    def _keys(self, sequence: int | None) -> list[str]:
        if sequence is None:
            return sorted(self.store.keys(self._prefix), key=lambda key: (_sequence_of(key), key.rpartition("/")[2]))
        return [*self.store.keys(self._of_lease(sequence)), *self.store.keys(f"{self._prefix}/{sequence:08d}")]

    def _of_lease(self, sequence: int) -> str:
        return f"{self._newest_first}/{LAST_SEQUENCE - sequence:08d}"

    @property
    def _newest_first(self) -> str:
        return f"{self._prefix}/{NEWEST_FIRST}"

    @property
    def _prefix(self) -> str:
        return f"journal/{self.app}/{self.environment}"


def _moment_of(name: str) -> Moment:
    """Return what `20300102T030405.678901Z-end-migration-done` tells."""
    moment, _, rest = name.partition("-")
    verb, _, stage = rest.rpartition("-")
    return Moment(datetime.strptime(moment, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC), verb, stage)


def _sequence_of(key: str) -> int:
    *_, order, number, _ = key.split("/")
    return LAST_SEQUENCE - int(number) if order == NEWEST_FIRST else int(number)


def spent_seconds(entries: Iterable[Entry], run: str) -> dict[str, float]:
    """Return verb → seconds between the intents and the effects of `run`, in the order the verbs were first meant."""
    spent: dict[str, float] = {}
    meant: dict[str, datetime] = {}
    for entry in entries:
        if entry.run == run and entry.stage == "intent":
            meant[entry.verb] = entry.at
            spent.setdefault(entry.verb, 0.0)
        elif entry.run == run and entry.verb in meant:
            spent[entry.verb] += (entry.at - meant.pop(entry.verb)).total_seconds()
    return spent


def decide_recovery(entries: list[Entry]) -> tuple[Decision, Release | None]:
    """Say how to end what an abandoned lease began.

    A release that was about to be settled, or what it replaced to be retired, had passed every watch: it is finished.
    One that is settled stands beside what it replaced, which is not half done. Everything else that was staged is
    withdrawn, because nobody can vouch for it. An environment whose removal began is removed. A migration that is not
    known to have ended is ended: it may go on without whoever began it.
    """
    if not entries:
        return "nothing", None
    release = entries[-1].release
    if entries[-1].verb == "remove":
        return "nothing" if entries[-1].stage == "done" else "remove", release
    migrations = [entry for entry in entries if entry.verb in ("migrate", "end-migration")]
    if migrations and migrations[-1].stage != "done":
        return "end-migration", migrations[-1].release
    ended = {(entry.verb, entry.stage) for entry in entries if entry.release.fingerprint == release.fingerprint}
    if ("retire", "done") in ended or ("withdraw", "done") in ended:
        return "nothing", release
    if ("retire", "intent") in ended or (("settle", "intent") in ended and ("settle", "done") not in ended):
        return "retire", release
    if ("settle", "done") in ended:
        return "nothing", release
    if ("stage", "intent") in ended:
        return "withdraw", release
    return "nothing", release

"""Deliveries that arrivals started: which followed which, and what each came from."""

from contextlib import suppress
from datetime import datetime

from pydantic import Field

from delivery.hooks.arrival import Arrival
from delivery.model import Model
from delivery.ports.store import Store


class Started(Model):
    """A delivery that an arrival started."""

    app: str
    environment: str
    sha: str
    run: str
    at: datetime
    arrival: str
    ref: str = Field("", description="refs/heads/…, refs/tags/…; empty: it was started before this was noted")
    after: str = Field("", description="the run that was started there before it; empty: none")
    skipped: tuple[str, ...] = ()

    def is_of_tag(self, arrival: Arrival) -> bool:
        """Whether it came from the tag that was pushed or released; of one without a ref a release takes that on."""
        return self.ref == arrival.ref or (not self.ref and arrival.kind == "release")


class StartedDeliveries:
    """Those of one environment, in the artifact store: each follows another one, and no two the same."""

    def __init__(self, store: Store, app: str, environment: str) -> None:
        self._store, self._where = store, f"{app}/{environment}"

    def newest(self, count: int) -> list[Started]:
        """Return the last ones, the newest first."""
        return self._read(self._keys()[-count:])

    def of(self, sha: str) -> list[Started]:
        """Return those of one commit, the newest first."""
        return self._read([key for key in self._keys() if key.endswith(f"~{sha}.json")])

    def keep(self, started: Started) -> Started:
        """Keep what was started after the run that it names; return what was, another one where that was quicker.

        Whoever comes second ends what the first began: it may have died in between.
        """
        claim, content = f"arrivals-after/{self._where}/{started.after or 'nothing'}.json", _dumped(started)
        try:
            self._store.put(claim, content)
        except FileExistsError:
            content = self._store.get(claim)
        first = Started.model_validate_json(content)
        moment = first.at.strftime("%Y%m%dT%H%M%S.%fZ")
        with suppress(FileExistsError):
            self._store.put(f"arrivals/{self._where}/{moment}~{first.sha}.json", content)
        return first

    def _keys(self) -> list[str]:
        return list(self._store.keys(f"arrivals/{self._where}"))

    def _read(self, keys: list[str]) -> list[Started]:
        return [Started.model_validate_json(self._store.get(key)) for key in reversed(keys)]


def _dumped(started: Started) -> bytes:
    return started.model_dump_json(indent=2).encode()

"""Tells the Prefect server what arrived, until it is seen there that it was taken up."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import httpx

from delivery.hooks.arrival import Arrival, identity_of
from delivery.hooks.spool import Spool, Told
from delivery.platform.prefect_api import PrefectApi

BATCH = 100
LOOKED_AT = 1000
PAGE, EVENTS_PAGE = 200, 50
FIRST_LOOK_SECONDS, LAST_LOOK_SECONDS = 1.0, 30.0
CLIENT = "headway-hooks"
DEPLOYMENT = "arrivals"  # what deployments.yaml calls those that an arrival starts
_log = logging.getLogger("headway.hooks")


class NotTaken(Exception):
    """The server answers, and will not take what it was sent."""


class Events(Protocol):
    """Where arrivals are told, and asked after."""

    def tell(self, arrivals: Sequence[Arrival]) -> None:
        """Tell of arrivals; NotTaken when the server says that it never will, httpx.HTTPError when it cannot now."""

    def taken(self, told: Sequence[Told]) -> set[UUID]:
        """Return which of them the server has taken up."""


class PrefectEvents:
    """The Prefect server: told by events, asked for the runs that these started."""

    def __init__(self, api: Callable[[], PrefectApi]) -> None:
        self._api, self._token = api, ""

    def tell(self, arrivals: Sequence[Arrival]) -> None:
        """Post them as events, under ids by which the server knows one that it has had."""
        answer = self._post("events", [arrival.event() for arrival in arrivals])
        if answer.status_code in (400, 413, 422):
            raise NotTaken(f"HTTP {answer.status_code}: {answer.text[:300]}")
        answer.raise_for_status()

    def taken(self, told: Sequence[Told]) -> set[UUID]:
        """Return those whose run exists, and of those that start none the ones that are kept as events.

        That an event is accepted says nothing: until it has come of it what shall, it is in the server's memory alone.
        """
        starting = [one for one in told if one.starts_runs]
        others = [one for one in told if not one.starts_runs]
        return self._started(starting) | self._kept(others)

    def _started(self, arrivals: Sequence[Told]) -> set[UUID]:
        wanted, found, offset = {one.identity for one in arrivals}, set[UUID](), 0
        if not arrivals:
            return found
        since = (min(one.kept for one in arrivals) - timedelta(minutes=5)).isoformat()
        while True:
            asked = {
                "deployments": {"name": {"any_": [DEPLOYMENT]}},
                "flow_runs": {"expected_start_time": {"after_": since}},
                "sort": "ID_DESC",
                "limit": PAGE,
                "offset": offset,
            }
            page = self._asked("flow_runs/filter", asked)
            found |= set(_identities(run["parameters"] for run in page)) & wanted
            offset += PAGE
            if len(page) < PAGE or found == wanted:
                return found

    def _kept(self, arrivals: Sequence[Told]) -> set[UUID]:
        found = set[UUID]()
        for number in range(0, len(arrivals), EVENTS_PAGE):
            identities = [str(one.identity) for one in arrivals[number : number + EVENTS_PAGE]]
            asked = {"filter": {"id": {"id": identities}}, "limit": EVENTS_PAGE}
            found |= {UUID(event["id"]) for event in self._asked("events/filter", asked)["events"]}
        return found

    def _asked(self, path: str, content: Any) -> Any:
        answer = self._post(path, content)
        answer.raise_for_status()
        return answer.json()

    def _post(self, path: str, content: Any) -> httpx.Response:
        with self._api().client() as client:
            answer = client.post(path, json=content, headers=self._headers())
            if answer.status_code == httpx.codes.FORBIDDEN:  # the server asks pages, and so us, for a token
                found = client.get("csrf-token", params={"client": CLIENT})
                self._token = str(found.json().get("token", "")) if found.is_success else ""
                answer = client.post(path, json=content, headers=self._headers())
            return answer

    def _headers(self) -> dict[str, str]:
        return {"Prefect-Csrf-Client": CLIENT, "Prefect-Csrf-Token": self._token} if self._token else {}


def _identities(parameters: Iterable[dict[str, Any]]) -> Iterable[UUID]:
    for given in parameters:
        said = given.get("arrival")
        if isinstance(said, dict):  # else somebody started the run by hand
            yield identity_of(said.get("connection"), said.get("delivery"), said.get("number", 0))


class Forwarder:
    """Works off the spool, again and again: nothing in its memory matters."""

    def __init__(self, spool: Spool, events: Events, *, now: Callable[[], float] = time.time) -> None:
        self._spool, self._events, self._now = spool, events, now
        self._kick, self._ended = threading.Event(), threading.Event()
        self._trouble = ""

    def kick(self) -> None:
        """Make it look at once: something has arrived."""
        self._kick.set()

    def end(self) -> None:
        """Make `run` return."""
        self._ended.set()
        self._kick.set()

    def run(self) -> None:
        """Tell what arrives until `end`; with growing pauses while that fails, or nothing changes."""
        pause: float | None = 0.0  # none: until something arrives
        while not self._ended.is_set():
            self._kick.wait(pause)
            self._kick.clear()
            try:
                changed = self.round()
                is_done = self._spool.counts().is_done
            except Exception as error:  # whatever it is, a full disk say: nobody else would tell what arrives
                self._say(f"what arrived cannot be told: {type(error).__name__}: {error}")
                changed = is_done = False
            else:
                self._say("")
            grown = min(LAST_LOOK_SECONDS, max(FIRST_LOOK_SECONDS, 2 * (pause or 0.0)))
            pause = None if is_done else FIRST_LOOK_SECONDS if changed else grown

    def round(self) -> bool:
        """Tell of what is due, and note what is taken up; return whether anything changed."""
        changed = False
        while due := self._spool.due(BATCH, self._now()):
            self._tell([waiting.arrival for waiting in due])
            changed = True
        if told := self._spool.unconfirmed(LOOKED_AT):
            taken = self._events.taken(told)
            self._spool.taken(taken)
            changed |= bool(taken)
        if given_up := self._spool.give_up(self._now()):
            _log.error("%d arrivals were taken up by nobody within a week", given_up)
        return changed

    def _tell(self, arrivals: list[Arrival]) -> None:
        """Tell of all at once; where the server refuses that, one by one, and only what it refuses alone is refused."""
        try:
            self._events.tell(arrivals)
        except NotTaken as error:
            if len(arrivals) > 1:
                for arrival in arrivals:
                    self._tell([arrival])
                return
            _log.error("%s %s is refused: %s", arrivals[0].kind, arrivals[0].identity, error)
            self._spool.refused([arrivals[0].identity], str(error))
        else:
            self._spool.told([arrival.identity for arrival in arrivals], self._now())

    def _say(self, trouble: str) -> None:
        """Log what is new; the same thing again says nothing."""
        if trouble and trouble != self._trouble:
            _log.warning("%s", trouble)
        elif self._trouble and not trouble:
            _log.warning("what arrives is told again")
        self._trouble = trouble

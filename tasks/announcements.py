"""Tell people elsewhere how far a run is: beside the run, which neither waits for that nor fails with it."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime

import httpx
from prefect.utilities.urls import url_for

from delivery import opening
from delivery.errors import HeadwayError, Transient
from delivery.ports.announcements import Announcement, Announcements, NotTold, Progress, Subject
from delivery.ports.slots import TargetState
from delivery.redaction import Redaction
from delivery.releases.order import Order
from delivery.releases.run_names import proof_name
from tasks.logs import redaction_of
from tasks.notes import last_notes, note, read_notes
from tasks.secret_values import load_value
from tasks.step import log

KIND = "announcements"
PROOF = "proof"  # the part that a run is which changes no environment
LAST_SECONDS = 5.0  # that the end of a run waits for what is not told yet
MOST_WAIT_SECONDS = 300.0
AGAIN_SECONDS = 5.0


class Telling:
    """Tells of one run in a thread of its own; of a part that changes faster than that the newest alone is told."""

    def __init__(self, run: str, url: str, started: datetime) -> None:
        self._run, self._url, self._started = run, url, started
        self._news: dict[str, Announcement] = {}
        self._changed = threading.Condition()
        self._is_new = self._is_closing = self._is_quiet = self._is_late = False
        self._hide = Redaction()
        self._context = contextvars.copy_context()
        self._thread: threading.Thread | None = None

    def add(self, news: Announcement) -> None:
        """Have it told, soon."""
        with self._changed:
            before = self._news.get(news.part)
            has_begun = news.progress in ("waits", "running") or (before is not None and before.has_begun)
            news = news.model_copy(update={"has_begun": has_begun and news.is_environment})
            if self._is_quiet or before == news:
                return
            self._news[news.part] = news
            self._is_new = True
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._context.run, args=(self._tell,), daemon=True)
                self._thread.start()

    def close(self, seconds: float) -> None:
        """Return when all is told, or after `seconds`: then it is warned of."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread:
            self._thread.join(seconds)
            if self._thread.is_alive():
                log().warning("what became of this run was not told in time: whoever is told does not answer")

    def _tell(self) -> None:
        told: Announcements | None = None
        while self._wait_for_news():
            was_last = self._is_closing
            try:
                told = told or self._open()
                if told:
                    told.tell(self._prepared())
            except NotTold as error:
                self._not_told(error, was_last=was_last)
            except (Transient, httpx.HTTPError, OSError) as error:  # of the platform's own server or store
                self._not_told(NotTold(str(error) or type(error).__name__, AGAIN_SECONDS), was_last=was_last)
            except Exception as error:  # whatever it is, a delivery does not end because of it
                self._warn(f"{type(error).__name__}: {error}", for_good=True)

    def _wait_for_news(self) -> bool:
        """Return whether there is something to tell, when there is, or nothing more will be."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_new or self._is_closing)
            news, self._is_new = self._is_new and not self._is_quiet, False
            return news

    def _open(self) -> Announcements | None:
        """Return who is told; none as long as it is not known what the run is about."""
        orders = last_notes(self._run, "order", Order)
        if not orders:
            return None
        order = orders[0]
        if order.app.github is None:
            self._is_quiet = True
            return None
        token = load_value(order.app.github.token)
        if token is None:
            where = f"there is no secret {order.app.github.token}, which headway.yaml names: github.token"
            self._warn(f"{where}\n  next: headway secret set {order.app.github.token}", for_good=True)
            return None
        self._hide = Redaction([token])
        if not order.examines:  # what is examined has no secrets of environments
            with suppress(HeadwayError):  # what is missing, the run itself says
                self._hide = redaction_of(order.app, order.environment, token)
        known = last_notes(self._run, KIND, Announcement)
        self._news = {one.part: one for one in known} | self._news
        return opening.open_announcements(order.app, self._subject(order), token, known)

    def _subject(self, order: Order) -> Subject:
        is_proof = PROOF in self._news
        return Subject(
            app=order.app.app,
            sha=order.revision.sha,
            environment=order.environment,
            run=self._run,
            name=proof_name(order.app.app, order.revision.short) if is_proof else order.name,
            started=self._started,
            url=self._url if self._url.startswith(("http://", "https://")) else "",
            goes_back=order.goes_back,
        )

    def _prepared(self) -> list[Announcement]:
        """Return the newest of every part as it is told, and keep what is new of it for whoever carries the run on."""
        with self._changed:
            news = dict(self._news)
        kept = {one.part: one for one in last_notes(self._run, KIND, Announcement)}
        sites = dict(read_notes(self._run, "state", TargetState))
        prepared = [self._as_told(one, sites) for one in news.values()]
        for one in prepared:
            if kept.get(one.part) != one:
                note(self._run, KIND, one.part, one)
        return prepared

    def _as_told(self, news: Announcement, sites: dict[str, TargetState]) -> Announcement:
        """Return it in one line, without secrets, with the address of the environment where it is live."""
        site = (sites[news.part].url or "") if news.is_environment and news.part in sites else ""
        shown = site if news.progress == "passed" else ""
        return news.model_copy(update={"text": self._hide.text(news.text.partition("\n")[0]), "site": shown})

    def _not_told(self, error: NotTold, *, was_last: bool) -> None:
        """Warn, and have it told again where that may help, after the time that was asked for."""
        if error.again_seconds is None or was_last:
            self._warn(str(error))
            return
        if not self._is_late:
            self._is_late = True
            self._warn(f"{error}; it is tried again")
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing, min(error.again_seconds, MOST_WAIT_SECONDS))
            self._is_new = True

    def _warn(self, why: str, *, for_good: bool = False) -> None:
        self._is_quiet = self._is_quiet or for_good
        log().warning("GitHub was not told how far this run is: %s", why)


_telling: ContextVar[Telling | None] = ContextVar("headway_telling", default=None)


@contextmanager
def telling(run: str) -> Iterator[None]:
    """Tell what is announced inside."""
    # Not flow_run.ui_url, which has a path that the UI had in earlier versions.
    token = _telling.set(Telling(run, url_for("flow-run", obj_id=run) or "", datetime.now(UTC)))
    try:
        yield
    finally:
        _telling.reset(token)


def announce(part: str, progress: Progress, text: str = "", *, is_environment: bool = False) -> None:
    """Have people told how far a part of the run is; outside of a run that is told of, nothing happens."""
    if now := _telling.get():
        now.add(Announcement(part=part, progress=progress, text=text, is_environment=is_environment))


async def tell_last() -> None:
    """Return when all that was announced is told, or could not be in time."""
    if now := _telling.get():
        await asyncio.to_thread(now.close, LAST_SECONDS)


def announce_crash(run: str, url: str, part: str, started: datetime, reason: str) -> None:
    """Tell that a run died; whoever looks after the dead does it."""
    dead = Telling(run, url, started)
    dead.add(Announcement(part=part, progress="broken", text=reason, is_environment=part != PROOF))
    dead.close(LAST_SECONDS)

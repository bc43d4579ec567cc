"""First questions to instances that start: asked side by side, so that one which is slow keeps nobody waiting."""

import time
from collections import Counter
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait

from delivery.docker.target.http_probe import HttpProbe
from delivery.docker.target.instances import Instance
from delivery.docker.target.router import Router
from delivery.spec.answer import Answer
from delivery.spec.health import Health

AT_ONCE = 20
LEAST_SECONDS = 1.0
USELESS = 500  # what an application that is not well answers, whatever is asked

BETWEEN_SECONDS = 0.05
Key = tuple[str, str]


def first_path(instance: Instance, routed: Collection[str]) -> str | None:
    """Return what an instance is asked before it is ready; none where only its port, or the engine, tells.

    A service that takes users' requests is asked although it names no path: many load themselves at the first one.
    """
    if not instance.file.port or instance.file.health == "none":
        return None
    return instance.file.checked.path or ("/" if instance.service in routed else None)


def is_well(health: Health, answer: Answer) -> bool:
    """Whether an answer passes: 2xx to a health path; without one anything that is no 5xx."""
    if "x-headway-instance" not in answer.headers:  # the router writes it into what a server answered, and nowhere else
        return False
    return 200 <= answer.status < (300 if health.path else USELESS)


class FirstQuestions:
    """Asks each instance again and again until it is well, each time for twice as long while it may still start.

    So one that loads itself at a question gets its time, and a question that was lost on its way is not all there is.
    """

    def __init__(self, router: Router, routed: Collection[str]) -> None:
        self._router, self._routed = router, routed
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="first-question")
        self._http_probes: dict[Key, HttpProbe] = {}
        self._asked: dict[Key, Future[Answer]] = {}
        self._last: dict[Key, Answer] = {}
        self._late: Counter[Key] = Counter()

    def passed(self, instance: Instance, deadline: float) -> bool:
        """Whether the instance was found well, or is not asked at all; asks it again, until `deadline`, if not."""
        path, key = first_path(instance, self._routed), (instance.service, instance.server)
        if path is None or self._was_well(instance, key):
            return True
        if key not in self._asked:
            http_probe = self._http_probes.setdefault(key, self._router.http_probe(*key, host=instance.file.host))
            patience = instance.file.checked.timeout_seconds * 2 ** self._late[key]
            http_probe.seconds = max(LEAST_SECONDS, min(patience, deadline - time.monotonic()))
            self._asked[key] = self._pool.submit(http_probe.get, path)
        elif self._asked[key].done():
            self._last[key] = self._asked.pop(key).result()
            self._late[key] += self._last[key].timed_out
        return self._was_well(instance, key)

    def last(self, instance: Instance) -> Answer | None:
        """Return what it answered last; one that timed out when it has never answered, none when it was not asked."""
        key = (instance.service, instance.server)
        late = Answer(timed_out=True) if key in self._asked else None
        return self._last.get(key, late)

    def close(self) -> None:
        """Ask nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        open_ones = list(self._asked.values())
        while open_ones := [one for one in open_ones if not one.done()]:
            self._end_connections()  # which wakes who waits for an answer, unless a question only begins
            wait(open_ones, BETWEEN_SECONDS)
        self._end_connections()

    def _end_connections(self) -> None:
        for http_probe in self._http_probes.values():
            http_probe.close()

    def _was_well(self, instance: Instance, key: Key) -> bool:
        return key in self._last and is_well(instance.file.checked, self._last[key])

"""Questions to instances at their own addresses: whether they are well, and which version they serve."""

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import httpx

from delivery.aws.instances import Instance
from delivery.ports.latency import LatencyHistogram
from delivery.ports.observation import SlotCounts
from delivery.ports.slots import COLOURS, Colour
from delivery.spec.answer import Answer
from delivery.traffic.served import as_version, version_problem

READ_SECONDS = 5.0
USELESS = 500  # what an application that is not well answers, whatever is asked


def ask(instance: Instance, path: str, seconds: float = READ_SECONDS) -> Answer:
    """GET `path` from one instance and return the answer."""
    return ask_at(instance.url, path, host=instance.file.host, seconds=seconds)


def ask_at(url: str, path: str, *, host: str = "", seconds: float = READ_SECONDS) -> Answer:
    """GET `path` at an address, of a host that is said, and return the answer."""
    headers = {"User-Agent": "headway", **({"Host": host} if host else {})}
    try:
        came = httpx.get(f"{url}{path}", headers=headers, timeout=seconds, trust_env=False)
    except httpx.TimeoutException:
        return Answer(timed_out=True)
    except httpx.HTTPError:
        return Answer()
    return Answer(status=came.status_code, headers=dict(came.headers), body=came.content)


def is_well(instance: Instance) -> bool:
    """Whether an instance runs and answers: 2xx to its health path; without one anything that is no 5xx."""
    if not instance.task.is_running:
        return False
    if not instance.file.port or instance.file.health == "none":
        return True
    checked = instance.file.checked
    status = ask(instance, checked.path or "/", checked.timeout_seconds).status
    return 200 <= status < (300 if checked.path else USELESS)


def served_version(instance: Instance) -> dict[str, str]:
    """Return what an instance's version path tells; empty when it has none or does not answer with JSON."""
    if not instance.file.version or not instance.file.port or not instance.task.is_running:
        return {}
    return as_version(ask(instance, instance.file.version))


def served_problem(instance: Instance) -> str:
    """Say how an instance is not the release's, by what ECS runs and by what it tells itself; empty when it is."""
    if instance.digest and instance.task.digest not in (None, instance.digest):
        return f"runs {instance.task.digest}, not {instance.digest}"
    if not instance.file.version or not instance.file.port:
        return ""
    told, revision = served_version(instance), instance.release.revision.sha
    return version_problem(told, instance.file.version, digest=instance.digest, revision=revision)


class NoMetrics:
    """Nobody counts what users at addresses of their own are answered: a watch goes by Headway's own questions."""

    def read(self) -> Mapping[Colour, SlotCounts]:
        """Return no counts."""
        return {colour: SlotCounts() for colour in COLOURS}

    def before(self, colour: Colour) -> LatencyHistogram:
        """Return nothing: nobody measured."""
        return LatencyHistogram()

    def close(self) -> None:
        """Nothing is open."""


class SlotProbes:
    """Asks the instances of a slot in turn for their health paths."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        self._turns: dict[Colour, Iterator[Instance]] = {
            colour: itertools.cycle([one for one in instances if one.colour == colour and one.file.port])
            for colour in COLOURS
        }

    def ask(self, colour: Colour, requests: int) -> SlotCounts:
        """Send so many requests and return what came back; nothing where the slot is empty."""
        failed, times, asked = Counter[str](), [], 0
        for instance in itertools.islice(self._turns[colour], requests):
            path, began, asked = instance.file.checked.path or "/", time.monotonic(), asked + 1
            answer = ask(instance, path, max(READ_SECONDS, instance.file.checked.timeout_seconds))
            if answer.status and answer.status < USELESS:
                times.append(1000 * (time.monotonic() - began))
            else:
                failed[f"GET {path} {answer.status or 'no answer'}"] += 1
        latency = LatencyHistogram.of(times)
        return SlotCounts(requests=asked, errors=failed.total(), what_failed=dict(failed), latency=latency)

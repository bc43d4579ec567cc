"""That a container ran out of memory is heard, whenever the engine comes to tell of it."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.models.containers import Container

from delivery.docker.engine.limits import ran_out_of_memory

CREATED, ENDED = 1_900_000_000.0, 1_900_000_005.5


def written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class Engine:
    """An engine with one event about memory, or none, which it gives to whoever listens until then."""

    def __init__(self, told: float | None) -> None:
        self.told = told

    def info(self) -> dict[str, str]:
        return {"SystemTime": written(ENDED + 0.1)}

    def events(self, *, since: float, until: float, filters: dict[str, str], decode: bool) -> Any:
        assert (filters, decode) == ({"container": "c1", "event": "oom"}, True)
        return iter([{"status": "oom"}] if self.told is not None and since <= self.told <= until else [])


@pytest.mark.parametrize(
    ("told", "killed"), [(ENDED - 0.3, True), (ENDED + 0.9, True), (None, False), (CREATED - 60, False)]
)
def test_what_the_engine_tells_of_memory_late_is_heard(told: float | None, killed: bool) -> None:
    state = {"OOMKilled": False, "FinishedAt": written(ENDED)}
    attrs = {"State": state, "Created": written(CREATED)}
    container = SimpleNamespace(id="c1", client=Engine(told), attrs=attrs)

    assert ran_out_of_memory(cast("Container", container)) is killed

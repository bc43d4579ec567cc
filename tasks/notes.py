"""What the steps of a run leave for its report: written where it happens, so that a failed run has a report as well."""

from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel

from blocks.artifact_store import current_store

M = TypeVar("M", bound=BaseModel)


def note(run: str, kind: str, name: str, value: BaseModel) -> None:
    """Keep `value` for the report of `run`."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    plain = name.replace("/", "_")
    current_store().put(f"runs/{run}/{kind}/{moment}~{plain}.json", value.model_dump_json(indent=2).encode())


def read_notes(run: str, kind: str, model: type[M]) -> list[tuple[str, M]]:
    """Return name and value of every note of one kind, oldest first."""
    store = current_store()
    keys = list(store.keys(f"runs/{run}/{kind}"))
    names = [key.rpartition("~")[2].removesuffix(".json") for key in keys]
    return [(name, model.model_validate_json(store.get(key))) for name, key in zip(names, keys, strict=True)]


def last_notes(run: str, kind: str, model: type[M]) -> list[M]:
    """Return the newest note of each name: a step that ran again counts once."""
    return list(dict(read_notes(run, kind, model)).values())

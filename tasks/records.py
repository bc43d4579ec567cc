"""What runs left of themselves, read again."""

from pydantic import ValidationError

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.journal import Journal
from delivery.report.record import DeliveryRecord


def newest_record(run: str) -> DeliveryRecord | None:
    """Return the newest record of a run; none: it has not ended, died before it could write one, or cannot be read."""
    store = current_store()
    keys = [key for key in store.keys(f"runs/{run}") if key.startswith(f"runs/{run}/record-")]
    try:
        return DeliveryRecord.model_validate_json(store.get(keys[-1])) if keys else None
    except ValidationError:  # of another version of Headway
        return None


def archive() -> Archive:
    """Return the releases and histories of this platform."""
    return Archive(current_store())


def journal(app: str, environment: str) -> Journal:
    """Return what was meant and done to an environment."""
    return Journal(current_store(), app, environment)


def locate(key: str) -> str:
    """Return where a person finds what the store has under `key`."""
    return current_store().locate(key)


def environments_with_history(app: str) -> list[str]:
    """Return the environments of an application that were ever changed, removed ones among them, in order of name."""
    return sorted({key.split("/")[2] for key in current_store().keys(f"history/{app}")})

"""A process that carries out a release on ECS and kills itself at a request: `python -m tests.places.on_ecs.victim`.

On its standard input comes, pickled, how the environment is opened, the folder of the journal, the release, and which
request that changes something is its last one: before it is sent (`before`), or after it was answered (`after`).
"""

import os
import pickle
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.client

from delivery.changes.journal import Entry, Journal, Verb
from delivery.docker.images.registry_state import own_registry
from delivery.ports.store import FolderStore
from delivery.releases.release import Release
from tests.places.on_ecs.rooms import Opens

READS = ("Describe", "List", "Get", "Head", "BatchGet", "Receive")
SEQUENCE = 2


def journal_of(folder: Path, opens: Opens) -> Journal:
    """Return the journal that victim and recovery share."""
    return Journal(FolderStore(folder), opens.settings.app, "production")


def kill_at(number: int, when: str) -> None:
    """Let this process end, as nobody can catch, at a request that changes something."""
    ask, count = botocore.client.BaseClient._make_api_call, 0

    def counted(client: Any, operation: str, given: dict[str, Any]) -> Any:
        nonlocal count
        counts = not operation.startswith(READS)
        count += counts
        if counts and count == number and when == "before":
            end(f"before {operation}")
        answer = ask(client, operation, given)
        if counts and count == number:
            end(f"after {operation}")
        return answer

    botocore.client.BaseClient._make_api_call = counted


def end(where: str) -> None:
    """Say where it ends, and end."""
    print(where, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def carry_out(opens: Opens, journal: Journal, release: Release) -> None:
    """Do what a delivery does, each verb written down before and after."""

    def write(verb: Verb, stage: str) -> None:
        fields = {"at": datetime.now(UTC), "app": journal.app, "environment": journal.environment}
        fields |= {"sequence": SEQUENCE, "run": "victim", "verb": verb, "stage": stage, "release": release}
        journal.write(Entry.model_validate(fields))

    target = opens(SEQUENCE)
    steps: tuple[tuple[Verb, Any], ...] = (
        ("stage", lambda: target.stage(opens.app, release)),
        ("shift", lambda: target.shift(release, 10)),
        ("shift", lambda: target.shift(release, 100)),
        ("settle", lambda: target.settle(release)),
        ("retire", lambda: target.retire(release)),
    )
    for verb, act in steps:
        write(verb, "intent")
        act()
        write(verb, "done")


if __name__ == "__main__":
    bare, folder, release, number, when = pickle.load(sys.stdin.buffer)
    opens = replace(bare, settings=replace(bare.settings, registry=own_registry(bare.home)))
    kill_at(number, when)
    carry_out(opens, journal_of(folder, opens), release)
    print("came to its end", flush=True)

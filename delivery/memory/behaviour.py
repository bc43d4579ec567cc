"""What stands in the environments that this process knows, and how it behaves there."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from delivery.ports.backups import KeptBackup
from delivery.ports.database import DatabaseAccess
from delivery.ports.drills import Drill
from delivery.ports.jobs import Job
from delivery.ports.slots import Colour
from delivery.releases.release import Release
from delivery.spec.services import Service


@dataclass(frozen=True)
class Program:
    """How a job ends: its exit code, or none when it never does by itself, what it prints and the files it leaves.

    One that `waits` never ends by itself either, and does take its time: until that is over or it is given up.
    """

    exit_code: int | None = 0
    prints: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    waits: bool = False


@dataclass
class Behaviour:
    """How releases behave in one place, by fingerprint; everything else is healthy and answers 200."""

    never_healthy: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)  # never healthy either, which takes all the time a service has
    serves_another_version: set[str] = field(default_factory=set)
    dies_at_percent: dict[str, int] = field(default_factory=dict)
    error_percent: dict[str, float] = field(default_factory=dict)
    answers: dict[tuple[str, str], int] = field(default_factory=dict)
    losses: tuple[str, ...] = ()
    printed: dict[str, list[str]] = field(default_factory=dict)
    requests: int = 1000
    during: Callable[[str], None] = field(default=lambda verb: None)
    run: Callable[[Job], Program] = field(default=lambda job: Program())
    differences: Callable[[], tuple[str, ...]] = field(default=tuple)  # between a database and its restored backup
    drill: Callable[[], Drill | None] = field(default=lambda: None)  # what going back to a moment just now shows
    has_second_place: bool = False
    copy_problem: str = ""  # of the second place
    drill_of_copy: Callable[[], Drill | None] = field(default=lambda: None)  # none: the newest copy comes back


@dataclass
class MemoryState:
    """What runs in one environment."""

    releases: dict[Colour, Release] = field(default_factory=dict)
    services: dict[Colour, dict[str, Service]] = field(default_factory=dict)  # as they were when it was staged
    weights: dict[Colour, int] = field(default_factory=dict)
    settled: str = ""
    settled_at: datetime | None = None
    sequence: int = 0
    behaviour: Behaviour = field(default_factory=Behaviour)
    database: DatabaseAccess | None = None
    databases: dict[str, tuple[str, ...]] = field(default_factory=dict)  # name → rows; the application's among them
    backups: dict[str, tuple[KeptBackup, tuple[str, ...]]] = field(default_factory=dict)  # they outlive the rest
    copies: dict[str, tuple[datetime, tuple[str, ...]]] = field(default_factory=dict)  # of the second place, as those
    elsewhere: dict[str, tuple[str, ...]] = field(default_factory=dict)  # server there → rows
    migrating: dict[str, threading.Event] = field(default_factory=dict)  # run → set when its migration is given up


_STATES: dict[tuple[str, str], MemoryState] = {}


def memory_state(app: str, environment: str) -> MemoryState:
    """Return what this process knows of an environment, to look at or to make it misbehave."""
    key = app, environment
    if key not in _STATES:
        _STATES[key] = MemoryState(behaviour=new_behaviour(app, environment))
    return _STATES[key]


def environments_of(app: str) -> set[str]:
    """Return the environments of an application that this process knows."""
    return {environment for owner, environment in _STATES if owner == app}


def new_behaviour(app: str, environment: str) -> Behaviour:
    """Return how a place behaves until somebody says otherwise."""
    return Behaviour()

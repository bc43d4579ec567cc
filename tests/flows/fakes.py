"""Stand-ins for what a delivery does in containers: the memory platform, told what to do and counting."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest

from delivery.memory.behaviour import Behaviour, Program
from delivery.memory.services import MemoryPlatform
from delivery.ports.jobs import Job
from delivery.report.record import DeliveryRecord
from delivery.scanning.findings import Finding

CRITICAL = Finding(
    kind="vulnerability", id="CVE-2030-1", severity="CRITICAL", package="libweb", version="1.0", fixed_version="1.1"
)


@dataclass
class Containers(MemoryPlatform):
    """What a container engine, its registry and its databases would do; `calls` counts what was asked for."""

    calls: Counter[str] = field(default_factory=Counter)
    troubles: dict[str, list[BaseException]] = field(default_factory=dict)
    during: dict[str, Callable[[], object]] = field(default_factory=dict)
    complaints: dict[str, str] = field(default_factory=dict)
    databases: dict[str, list[str]] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    hooks: list[dict[str, str]] = field(default_factory=list)  # what each hook was told

    def __post_init__(self) -> None:
        self.asked = self._begin

    @property
    def published(self) -> list[str]:
        """The fingerprints of the releases that were published."""
        return [name.rpartition(":")[2] for name in self.manifests]

    def fail(self, what: str, *errors: BaseException) -> None:
        """Let the next calls of `what` fail, one error for each."""
        self.troubles[what] = list(errors)

    def _begin(self, what: str) -> None:
        self.calls[what] += 1
        self.during.get(what, lambda: None)()
        if self.troubles.get(what):
            raise self.troubles[what].pop(0)

    def run_job(self, environment: str, job: Job) -> Program:
        """End a migration, a check's command or a suite beside an environment."""
        if job.name == "migrate":
            self.secrets[f"migrate {environment}"] = _revealed(job.secrets)
            self._begin(f"migrate {environment}")
            self.databases.setdefault(environment, []).append(job.image)
            return Program()
        if job.name == "hook":
            self.hooks.append({**job.env, **dict.fromkeys(job.secrets, "(secret)")})
            self._begin(f"hook {job.env['HEADWAY_HOOK']} {environment}")
            complaint = self.complaints.get(job.image, "")
            return Program(exit_code=3 if complaint else 0, prints=f"{complaint}\n{sorted(job.revealed().values())}\n")
        address = job.env["BASE_URL"]
        if job.name == "check":
            self._begin(f"command {job.image} {address}")
            complaint = self.complaints.get(job.image, "")
            return Program(exit_code=22 if complaint else 0, prints=complaint or "asked\n")
        suite, name = job.log.parts[-3:-1]  # the environment and the suite of an acceptance, the suite of a check
        accepted = suite == environment
        suite = name if accepted else suite
        self.secrets[suite] = _revealed(job.secrets)
        self._begin(f"accept {environment}" if accepted else f"{suite} {address}")
        failed = self.outcomes.get(suite) == "failed"
        told = f"told {sorted(job.revealed().values())}\n"  # what a place keeps of it must not hold the secrets
        return Program(exit_code=1 if failed else 0, prints=f"{told}adds up failed\n" if failed else told)

    def differences(self, environment: str) -> tuple[str, ...]:
        """Return what a restored backup of the environment lacks."""
        self._begin(f"restore {environment}")
        return ("table orders: 3 in the database, 2 in the copy",) if environment in self.damaged else ()

    def behaviour(self, app: str, environment: str) -> Behaviour:
        """Return how an environment in memory behaves, with its jobs and backups as they are here."""
        return Behaviour(run=partial(self.run_job, environment), differences=partial(self.differences, environment))

    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of everything a platform builds, scans, tests and cleans up with."""
        monkeypatch.setattr("delivery.opening.open_services", lambda registry=None: self.services())
        monkeypatch.setattr("delivery.memory.behaviour.new_behaviour", self.behaviour)
        monkeypatch.setattr("tasks.report.report_html", DeliveryRecord.model_dump_json)  # pictures take a second


def _revealed(secrets) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in (secrets or {}).items()}

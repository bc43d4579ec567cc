"""The port `Infrastructure` for a stack of Terraform: each use has a folder of its own for what Terraform keeps."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from filelock import FileLock

from delivery.errors import Misconfigured, Rejected
from delivery.ports.infrastructure import PlannedInfrastructure
from delivery.programs import terraform
from delivery.programs.terraform import Stack, StateLocked
from delivery.releases.infrastructure import InfrastructurePlan, Output, ResourceChange, StateVersion
from delivery.spec.infrastructure import Infrastructure
from delivery.terraform.holder import MARK, attempt, forget, is_dead
from delivery.terraform.own_stacks import lay_out, own_backend
from delivery.terraform.plan_reading import (
    changes_of,
    declared_outputs,
    drift_of,
    known_outputs,
    outputs_of,
    told_outputs,
)

T = TypeVar("T")
PLUGINS = "TF_PLUGIN_CACHE_DIR"


@dataclass(frozen=True)
class StackPlace:
    """Whose stack it is, where its files lie, and the folder of the platform for what must be found after a crash.

    `variables` are those that Terraform is started with, `own` what a stack of Headway's is told of the application.
    """

    app: str
    environment: str
    run: str
    source: Path
    home: Path
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """What every Terraform that is started for it carries in its environment."""
        return f"{self.home}:{self.app}/{self.environment}"

    @property
    def attempts(self) -> Path:
        """The notes of what was started for it."""
        return self.home / "terraform" / self.app / self.environment

    @property
    def plugins(self) -> Path:
        """Where providers are kept for all stacks, unless the user has a place for them."""
        return Path(os.environ.get(PLUGINS) or self.home / "cache" / "terraform")


class TerraformInfrastructure:
    """A stack in its workspace."""

    def __init__(self, config: Infrastructure, place: StackPlace) -> None:
        self.config, self.place = config, place
        self.workspace = config.workspace_of(place.environment)

    @property
    def whose(self) -> tuple[str, str, str]:
        """Application, environment and workspace."""
        return self.place.app, self.place.environment, self.workspace

    def plan(self, *, destroy: bool = False) -> PlannedInfrastructure:
        """Return what would bring the stack to what its files say; see the port."""
        with self._ready() as stack:
            file = stack.data / "plan"
            changes_anything = self._freed(
                stack,
                lambda: terraform.plan(
                    stack, file, values=self._values(stack), lock_seconds=self.config.lock_seconds, destroy=destroy
                ),
            )
            shown, content = terraform.show(stack, file), file.read_bytes()
            version = _version(terraform.state(stack))
        described = self._described(shown, content, version, changes_anything=changes_anything, destroys_all=destroy)
        known = {} if changes_anything else known_outputs(shown)
        return PlannedInfrastructure(described, content, declared_outputs(shown), known)

    def apply(self, planned: PlannedInfrastructure) -> dict[str, Output]:
        """Carry out the plan; see the port."""
        plan = planned.plan
        with self._ready() as stack:
            found = _version(terraform.state(stack))
            if found != plan.state:
                raise Rejected(
                    f"plan {plan.short} was made from state {_shown(plan.state)}, which is {_shown(found)} by now\n"
                    "  next: headway run makes a new plan"
                )
            file = stack.data / "plan"
            file.write_bytes(planned.content)
            try:
                self._freed(stack, lambda: terraform.apply(stack, file, lock_seconds=self.config.lock_seconds))
            except StateLocked as held:  # the plan is used up: to try again by itself would be refused
                raise Rejected(f"plan {plan.short} was not carried out: {held}") from held
            return told_outputs(terraform.outputs(stack))

    def drift(self) -> tuple[ResourceChange, ...]:
        """Return what a plan from the files that were applied last would change: nothing, unless somebody else did.

        What Terraform calls drift is more: right after an apply a bucket differs from its state by the versioning that
        another resource gave it.
        """
        return self.plan().plan.changes

    def outputs(self) -> dict[str, Output]:
        """Return the outputs as they are in the state."""
        with self._ready() as stack:
            return told_outputs(terraform.outputs(stack))

    @contextmanager
    def _ready(self) -> Iterator[Stack]:
        """Have the stack set up in a folder that nobody else reads and that is gone afterwards."""
        terraform.check_variables()
        terraform.version()
        (self.place.home / "work").mkdir(mode=0o700, parents=True, exist_ok=True)
        data = Path(mkdtemp(prefix="terraform-", dir=self.place.home / "work"))
        self.place.plugins.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = self.config.stack
        stack = Stack(
            folder=lay_out(own, data / "stack") if own else self.place.source / str(self.config.terraform),
            data=data,
            workspace=self.workspace,
            variables={**self.place.variables, MARK: self.place.mark, PLUGINS: str(self.place.plugins)},
            timeout_seconds=self.config.timeout_seconds,
        )
        try:
            with FileLock(self.place.plugins / ".lock"):  # what is kept there may be written by one at a time
                terraform.init(stack, self._backend())
            _check_backend(stack)
            terraform.select(stack)
            yield stack
        finally:
            shutil.rmtree(data, ignore_errors=True)

    def _freed(self, stack: Stack, act: Callable[[], T]) -> T:
        """Do what needs the state; a lock whose holder is known to be dead is taken away once."""
        seconds = self.config.timeout_seconds + terraform.INTERRUPT_SECONDS
        try:
            with attempt(self.place.attempts, seconds):
                return act()
        except StateLocked as held:
            if not is_dead(held.lock, self.place.attempts, self.place.mark):
                raise
            terraform.force_unlock(stack, held.lock["ID"])
            forget(self.place.attempts)
        with attempt(self.place.attempts, seconds):
            return act()

    def _values(self, stack: Stack) -> Path:
        path = stack.data / "variables.json"
        known = self.place.own if self.config.stack else {}
        path.write_text(json.dumps({**known, **self.config.variables}))
        return path

    def _backend(self) -> Mapping[str, str | bool | int]:
        if not self.config.stack:
            return self.config.backend
        return own_backend(self.config, self.place.app, self.place.variables)

    def _described(
        self,
        shown: dict[str, Any],
        content: bytes,
        version: StateVersion,
        *,
        changes_anything: bool,
        destroys_all: bool,
    ) -> InfrastructurePlan:
        now, changes = datetime.now(UTC), changes_of(shown)
        changed = {one.address for one in changes}
        return InfrastructurePlan(
            sha256=hashlib.sha256(content).hexdigest(),
            app=self.place.app,
            environment=self.place.environment,
            stack=self.config.called,
            workspace=self.workspace,
            run=self.place.run,
            made_at=now,
            expires_at=now + timedelta(minutes=self.config.plan_minutes),
            state=version,
            changes=changes,
            drift=tuple(one for one in drift_of(shown) if one.address in changed),
            outputs=outputs_of(shown),
            protected=tuple(one.address for one in changes if one.loses and one.type in self.config.protected),
            changes_anything=changes_anything,
            destroys_all=destroys_all,
        )


def _version(state: dict[str, Any] | None) -> StateVersion:
    return StateVersion(lineage=state["lineage"], serial=state["serial"]) if state else StateVersion()


def _shown(version: StateVersion) -> str:
    return f"{version.lineage[:8]} number {version.serial}" if version.lineage else "that is not there"


def _check_backend(stack: Stack) -> None:
    """Return unless the state would lie in a folder that is gone after the run."""
    kind, settings = terraform.backend_of(stack)
    where = (settings.get(key) or "" for key in ("path", "workspace_dir"))
    if kind == "local" and not all(map(os.path.isabs, where)):
        raise Misconfigured(
            f"{stack.folder.name}: the stack's backend",
            "its state would be kept beside its files, which are gone after the run",
            'backend "s3" with use_lockfile = true, or another one that is reached from everywhere',
        )

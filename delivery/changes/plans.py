"""Plans for infrastructure, kept so that nobody can read them and each is carried out once at most."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr

from delivery.errors import Rejected
from delivery.model import Model
from delivery.ports.infrastructure import PlannedInfrastructure
from delivery.ports.store import Store
from delivery.releases.infrastructure import Drift, InfrastructurePlan, Output

AGAIN = "\n  next: headway run makes a new plan"


class Use(Model):
    """Who took a plan to carry it out, and who is said to have done so when it is kept as done."""

    run: str
    at: datetime


class PlanBook:
    """The plans of a platform in its artifact store; what they would do is encrypted with the platform's `key`.

    That a plan is taken is written down before it is carried out: after a crash it is never carried out again, even
    when the state it was made from is gone, where Terraform itself would do all of it a second time.
    """

    def __init__(self, store: Store, key: SecretStr) -> None:
        self._store = store
        digest = hashlib.sha256(key.get_secret_value().encode()).digest()  # the key is 256 random bits
        self._cipher = Fernet(urlsafe_b64encode(digest))

    def keep(self, planned: PlannedInfrastructure) -> InfrastructurePlan:
        """Keep a plan, and return it as it is kept: made in the same second from the same state, it is the same."""
        plan = planned.plan
        with suppress(FileExistsError):
            self._store.put(self._key(plan, "plan"), self._cipher.encrypt(planned.content))
        with suppress(FileExistsError):
            self._store.put(self._key(plan, "json"), plan.model_dump_json(indent=2).encode())
        return InfrastructurePlan.model_validate_json(self._store.get(self._key(plan, "json")))

    def find(self, app: str, environment: str, sha256: str) -> InfrastructurePlan:
        """Return a plan by its hash or the first digits of it; Rejected when there is none, or are several."""
        folder = f"plans/{app}/{environment}"
        found = [key for key in self._store.keys(folder) if key.endswith(".json") and f"/{sha256}" in key]
        kept = [key for key in found if key.count(".") == 1]
        if len(kept) != 1:
            many = "several plans" if kept else "no plan"
            raise Rejected(f"there is {many} {sha256} for {environment} of {app}{AGAIN}")
        return InfrastructurePlan.model_validate_json(self._store.get(kept[0]))

    def was_applied(self, plan: InfrastructurePlan, run: str) -> bool:
        """Whether `run` has carried the plan out: a step that is done again has nothing to do."""
        try:
            return self._read(plan, "applied").run == run
        except FileNotFoundError:
            return False

    def take(self, plan: InfrastructurePlan, whose: tuple[str, str, str], *, run: str) -> bytes:
        """Take a plan to carry it out on what it is for, once and for all, and return what is needed for that.

        Rejected when it is another environment's or workspace's, is over, was taken before or cannot be read.
        """
        if plan.whose != whose:
            raise Rejected(f"plan {plan.short} is for {'/'.join(plan.whose)}, not for {'/'.join(whose)}")
        if datetime.now(UTC) > plan.expires_at:
            raise Rejected(f"plan {plan.short} was to be applied until {plan.expires_at:%Y-%m-%d %H:%M} UTC{AGAIN}")
        content = self._content(plan)
        use = Use(run=run, at=datetime.now(UTC))
        try:
            self._store.put(self._key(plan, "used"), use.model_dump_json().encode())
        except FileExistsError:
            before = self._read(plan, "used")
            raise Rejected(
                f"plan {plan.short} was taken by run {before.run[:8]} at {before.at:%Y-%m-%d %H:%M:%S} UTC: "
                f"a plan is carried out once{AGAIN}"
            ) from None
        return content

    def close(self, plan: InfrastructurePlan, run: str) -> None:
        """Note that a plan was carried out to its end."""
        self._store.put(self._key(plan, "applied"), Use(run=run, at=datetime.now(UTC)).model_dump_json().encode())

    def keep_outputs(self, app: str, environment: str, outputs: Iterable[Output]) -> None:
        """Keep what an environment's infrastructure says of itself, but for what is sensitive; the newest counts."""
        kept = {one.name: one.value for one in outputs if not one.sensitive}
        if kept == self.outputs(app, environment):
            return
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        content = json.dumps(kept, indent=2, sort_keys=True).encode()
        self._store.put(f"{self._outputs(app, environment)}/{moment}.json", content)

    def outputs(self, app: str, environment: str) -> dict[str, Any] | None:
        """Return what an environment's infrastructure said of itself last; none: it was never applied by Headway."""
        keys = list(self._store.keys(self._outputs(app, environment)))
        return dict(json.loads(self._store.get(keys[-1]))) if keys else None

    @staticmethod
    def _outputs(app: str, environment: str) -> str:
        return f"outputs/{app}/{environment}"

    def note_drift(self, drift: Drift) -> None:
        """Keep what a look showed."""
        moment = drift.at.strftime("%Y%m%dT%H%M%S.%fZ")
        content = drift.model_dump_json(indent=2).encode()
        self._store.put(f"drift/{drift.app}/{drift.environment}/{moment}.json", content)

    def last_drift(self, app: str, environment: str) -> Drift | None:
        """Return what the newest look showed, none when there was none."""
        keys = list(self._store.keys(f"drift/{app}/{environment}"))
        return Drift.model_validate_json(self._store.get(keys[-1])) if keys else None

    def _content(self, plan: InfrastructurePlan) -> bytes:
        try:
            content = self._cipher.decrypt(self._store.get(self._key(plan, "plan")))
        except FileNotFoundError:
            raise Rejected(f"plan {plan.short} is not kept here{AGAIN}") from None
        except InvalidToken:
            raise Rejected(f"plan {plan.short} was made by another platform, or was changed{AGAIN}") from None
        if hashlib.sha256(content).hexdigest() != plan.sha256:
            raise Rejected(f"plan {plan.short} is not the one that was approved{AGAIN}")
        return content

    def _read(self, plan: InfrastructurePlan, what: str) -> Use:
        return Use.model_validate_json(self._store.get(self._key(plan, what)))

    @staticmethod
    def _key(plan: InfrastructurePlan, what: str) -> str:
        name = f"plans/{plan.app}/{plan.environment}/{plan.sha256}"
        return f"{name}.json" if what == "json" else f"{name}.{what}" if what == "plan" else f"{name}.{what}.json"

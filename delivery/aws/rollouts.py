"""A release's deployment of one service, whoever moves its traffic: how it is read, let go on, and sent back."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from botocore.exceptions import ClientError

from delivery.aws.failures import aws_errors, code_of
from delivery.aws.service_ways import ServiceWay
from delivery.errors import ReleaseUnhealthy, Transient
from delivery.waiting import until

STEP_SECONDS, END_SECONDS, BETWEEN_SECONDS = 600.0, 1800.0, 0.5
Goal = Literal["users", "settled", "end"]


@dataclass(frozen=True)
class Rollout:
    """A deployment as AWS tells of it: `waits_at` is the stage or wait it is at, and `hook` what is to be answered."""

    id: str
    definition: str
    created: datetime
    is_open: bool  # it goes on
    is_active: bool  # it goes on, or back
    has_succeeded: bool
    is_staged: bool  # its tasks are healthy and serve tests, or more than that
    is_settled: bool  # nothing but the end of what it replaced is to come
    percent: float  # the share of users that it asks for
    reason: str  # why it is as it is, in AWS's words
    waits_at: str = ""
    hook: str = ""

    @property
    def has_held(self) -> bool:
        """Whether it goes on, or came to its end: nobody took it back."""
        return self.is_open or self.has_succeeded


@dataclass(frozen=True)
class Asked:
    """What a service is to run: so many tasks, reached at a port of a container, all at once or step by step.

    `label` says whose deployment it is, where AWS keeps a text with one.
    """

    count: int
    container: str = ""
    port: int = 0
    at_once: bool = False
    label: str = ""


class Rollouts(ABC):
    """What is done with the deployments of services in one cluster."""

    mover: str  # who moves traffic, as people call it
    api: str  # what boto3 calls whom is asked
    past: tuple[str, ...]  # the codes of a request that came too late

    @abstractmethod
    def begin(self, way: ServiceWay, definition: str, asked: Asked) -> None:
        """Start the deployment of a definition, unless it was started already."""

    @abstractmethod
    def newest(self, way: ServiceWay) -> list[Rollout]:
        """Return the deployments of a service that AWS remembers, the newest first."""

    @abstractmethod
    def groups(self, way: ServiceWay) -> dict[str, str]:
        """Return definition → the target group its tasks are in, of what the service runs now."""

    @abstractmethod
    def runs(self, way: ServiceWay, definition: str) -> bool:
        """Whether a definition is the service's, whatever deployment it came by."""

    @abstractmethod
    def go_on(self, way: ServiceWay, found: Rollout, goal: Goal) -> None:
        """Answer what a deployment waits for on its way to a goal; what comes after that keeps waiting."""

    @abstractmethod
    def stop(self, found: Rollout) -> None:
        """Let a deployment go back."""

    @abstractmethod
    def how_to_stop(self, found: Rollout) -> str:
        """Return the command with which a person lets a deployment go back."""

    def find(self, way: ServiceWay, definition: str) -> Rollout | None:
        """Return the newest deployment of a definition, or none."""
        return next((one for one in self.newest(way) if one.definition == definition), None)

    def open_of(self, way: ServiceWay) -> Rollout | None:
        """Return the deployment of a service that is not over, or none."""
        return next((one for one in self.newest(way) if one.is_active), None)

    def shift(self, way: ServiceWay, definition: str, percent: float, seconds: float = STEP_SECONDS) -> None:
        """Let a deployment go on until so many users get it; ReleaseUnhealthy when it goes back instead."""
        self._on(way, definition, lambda now: now.percent >= percent, "users", seconds)

    def settle(self, way: ServiceWay, definition: str, count: int) -> None:
        """Let a deployment pass its last hook: what it replaced stands for the time to bake, and `count` tasks stay."""
        self._on(way, definition, lambda now: now.is_settled, "settled", STEP_SECONDS)

    def finish(self, way: ServiceWay, definition: str, bake_seconds: float) -> None:
        """Return when a deployment is over and what it replaced is gone."""
        self._on(way, definition, lambda now: False, "end", bake_seconds + END_SECONDS)

    def send_back(self, way: ServiceWay, definition: str) -> bool:
        """Let a deployment go back, unless it is over or does; whether there is one that does."""
        found = self.find(way, definition)
        if found is None or not found.is_active:
            return False
        if found.is_open:
            self.stop(found)
        return True

    def until_back(self, way: ServiceWay, definition: str) -> None:
        """Return when a deployment that goes back has; Transient when that takes too long."""
        found = until(lambda: self.is_back(way, definition), seconds=END_SECONDS, every=BETWEEN_SECONDS)
        if not found:
            raise Transient(f"the deployment of {way.service} did not go back within {END_SECONDS:g} s")

    def is_back(self, way: ServiceWay, definition: str) -> bool:
        """Whether no deployment of a definition goes on, or back."""
        now = self.find(way, definition)
        return now is None or not now.is_active

    def taken_back(self, way: ServiceWay, found: Rollout | None) -> str:
        """Say that a deployment was taken back, by whom, and why."""
        return f"{self.mover} took the deployment of {way.service} back: {found.reason if found else 'gone'}"

    def unless_past(self, act: Callable[..., object], **asked: object) -> None:
        """Ask for something that a deployment which went on, or ended, meanwhile has no use for.

        It may have gone on because of the same request, whose answer was lost: what came of it is seen at the next
        look.
        """
        with aws_errors(self.api):
            try:
                act(**asked)
            except ClientError as error:
                if code_of(error) not in self.past:
                    raise

    def _on(
        self, way: ServiceWay, definition: str, is_there: Callable[[Rollout], bool], goal: Goal, seconds: float
    ) -> None:
        """Let a deployment go on until it is as is asked, or has come to its end."""

        def look() -> bool:
            now = self.find(way, definition)
            if now is None and self.runs(way, definition):  # since long before the deployments that AWS remembers
                return True
            if now is None or not now.has_held:
                raise ReleaseUnhealthy(self.taken_back(way, now))
            if now.has_succeeded or is_there(now):
                return True
            self.go_on(way, now, goal)
            return False

        if not until(look, seconds=seconds, every=BETWEEN_SECONDS):
            raise Transient(f"the deployment of {way.service} did not go on within {seconds:g} s")

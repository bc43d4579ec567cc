"""One thing that happened elsewhere, as it was told to the receiver."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from pydantic import Field

from delivery.model import Model

Source = Literal["github", "aws", "registry"]
Kind = Literal["push", "tag", "pull-request", "release", "workflow-run", "image", "alarm", "object"]

NAMESPACE = UUID("6f1c6d0c-3a55-5c0e-9f0e-2a8a1d0f6f5b")
EVENT = "headway"  # what the names of all events begin with
ZERO = "0" * 40  # the commit a ref had before it was there, or has after it was removed


def identity_of(connection: object, delivery: object, number: object) -> UUID:
    """Return by what an arrival is known, wherever it is asked after."""
    return uuid5(NAMESPACE, f"{connection}\n{delivery}\n{number}")


class Happening(Model):
    """What the sender says that happened; of each kind the fields that it has."""

    kind: Kind
    repository: str = Field("", description="as the sender calls it: owner/name, or an image's name")
    ref: str = Field("", description="refs/heads/…, refs/tags/…")
    sha: str = ""
    before: str = Field("", description="the commit the ref had before; empty: it is new")
    pull_request: int | None = None
    fork: bool = Field(False, description="the commit is of a repository that is not the one it is about")
    action: str = Field("", description="opened, published, completed, ALARM …")
    subject: str = Field("", description="name of the alarm, the workflow or the object")
    reason: str = ""
    sender: str = Field("", description="who did it, as the sender of the webhook calls them")
    at: datetime | None = Field(None, description="when it happened, as the sender says")


class Arrival(Happening):
    """A happening with where it came in, and what it is about on this platform."""

    connection: str
    delivery: str = Field(description="what the sender calls this delivery")
    number: int = Field(0, description="of the happening in the delivery")
    received: datetime
    project: str = Field("", description="address of the repository, or folder; ADDRESS#FOLDER")
    app: str = Field("", description="the application, where the sender's connection says it")
    environment: str = Field("", description="whose alarms these are")
    within_minutes: int = Field(60, description="after a release, an alarm takes it back")

    @property
    def identity(self) -> UUID:
        """The same for the same delivery, however often it is sent: the server knows an event by it."""
        return identity_of(self.connection, self.delivery, self.number)

    @property
    def starts_runs(self) -> bool:
        """Whether a flow of Headway is started by it; others are there for automations of the user."""
        return self.kind not in ("image", "object")

    @property
    def requested_by(self) -> str:
        """Who, or which alarm, asked for what follows from it; empty where nobody is told."""
        if self.kind == "alarm":
            return f"alarm {self.subject}"
        return f"{self.sender} on GitHub" if self.sender else ""

    @property
    def name(self) -> str:
        """The branch or the tag that `ref` names."""
        return self.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")

    def event(self) -> dict[str, Any]:
        """Return it as the Prefect event that automations match."""
        return {
            "id": str(self.identity),
            "occurred": self.received.isoformat(),
            "event": f"{EVENT}.{self.kind}",
            "resource": {
                "prefect.resource.id": f"{EVENT}.hook.{self.connection}",
                "prefect.resource.name": self.connection,
                "headway.project": self.project,
                "headway.environment": self.environment,
            },
            "payload": self.model_dump(mode="json"),
        }

"""Who may send what to the receiver, as the platform keeps it: one file each, and one for each secret."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError

from delivery.errors import Misconfigured
from delivery.home import PRIVATE, Home
from delivery.hooks.arrival import Source
from delivery.model import Model, Name

HOST, PORT = "127.0.0.1", 4280


class Connection(Model):
    """A sender: which kind it is of, and what it is about."""

    name: Name
    source: Source
    app: str = Field("", description="the application; empty: as headway.yaml in the repository says")
    project: str = Field("", description="address of the repository with headway.yaml, or ADDRESS#FOLDER")
    repository: str = Field("", description="what the sender calls the repository; empty: any that knows the secret")
    topics: tuple[str, ...] = Field((), description="ARNs of the topics of SNS that are believed")
    environment: str = Field("", description="whose alarms these are; empty: an alarm takes nothing back")
    alarms: tuple[str, ...] = Field((), description="patterns of the alarms that take a release back; none: all")
    within_minutes: int = Field(60, ge=1, le=10080, description="after a release, an alarm takes it back")

    def is_alarm_of(self, alarm: str) -> bool:
        """Whether this alarm is one of the environment's."""
        return not self.alarms or any(fnmatchcase(alarm, pattern) for pattern in self.alarms)


class Listening(Model):
    """Where the receiver listens: nobody but this machine reaches it, unless the user says otherwise."""

    host: str = HOST
    port: int = Field(PORT, ge=0, le=65535)


class Connections:
    """All of them, read anew whenever they are asked for: what is changed counts at once."""

    def __init__(self, home: Home) -> None:
        self._home, self.folder = home, home.root / "hooks"
        self._keys = home.root / "keys" / "hooks"

    def __iter__(self) -> Iterator[Connection]:
        for path in sorted((self.folder / "connections").glob("*.json")):
            if found := self.find(path.stem):
                yield found

    def find(self, name: str) -> Connection | None:
        """Return the connection called `name`, or none; Misconfigured when its file cannot be taken."""
        path = self._path(name)
        try:
            return Connection.model_validate_json(path.read_text())
        except (FileNotFoundError, OSError):
            return None
        except ValidationError as error:
            raise Misconfigured(str(path), f"cannot be read: {error}", next_step="headway hooks connect") from error

    def keep(self, connection: Connection) -> None:
        """Make sure there is this connection, and a secret that its sender can know."""
        _replace(self._path(connection.name), connection.model_dump_json(indent=2))
        if not self._key(connection.name).exists():
            self.renew(connection.name)

    def remove(self, name: str) -> bool:
        """Make sure there is no such connection; return whether there was one."""
        there = self._path(name).exists()
        self._path(name).unlink(missing_ok=True)
        self._key(name).unlink(missing_ok=True)
        return there

    def secret(self, name: str) -> SecretStr | None:
        """Return what the sender signs with, or none."""
        try:
            return SecretStr(self._key(name).read_text().strip())
        except OSError:
            return None

    def renew(self, name: str, value: SecretStr | None = None) -> None:
        """Give a connection another secret, `value` or one that is made: the old one proves nothing any more."""
        _replace(self._key(name), value.get_secret_value() if value else secrets.token_urlsafe(32))

    @property
    def listening(self) -> Listening:
        """Where the receiver listens."""
        path = self.folder / "listening.json"
        try:
            return Listening.model_validate_json(path.read_text())
        except FileNotFoundError:
            return Listening()
        except ValidationError as error:
            raise Misconfigured(str(path), f"cannot be read: {error}", next_step="headway hooks listen") from error

    def listen(self, where: Listening) -> None:
        """Keep where the receiver listens from its next start on."""
        _replace(self.folder / "listening.json", where.model_dump_json())

    @property
    def are_there(self) -> bool:
        """Whether anybody may send anything, so that a receiver is needed."""
        return any((self.folder / "connections").glob("*.json"))

    def _path(self, name: str) -> Path:
        return self.folder / "connections" / f"{name}.json"

    def _key(self, name: str) -> Path:
        return self._keys / name


def _replace(path: Path, text: str) -> None:
    """Make the file hold `text`, for its owner alone, at once."""
    for folder in reversed(path.parents):  # `parents` would leave those above to everybody
        if not folder.exists():
            folder.mkdir(mode=PRIVATE, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(beside, path)

"""How an environment's database is reached, in a file for its owner alone: it outlives the database's container."""

import json
from pathlib import Path

from pydantic import Field, SecretStr

from delivery.changes.kept import write_private
from delivery.docker.engine.names import EnvironmentNames
from delivery.home import Home
from delivery.model import Model
from delivery.ports.database import USER, DatabaseAccess


class Password(Model):
    """What a database was made with."""

    name: str
    user: str = USER
    password: SecretStr
    administered: bool = Field(False, description="the user is not the server's administrator")


def password_file(home: Home, names: EnvironmentNames) -> Path:
    """Return where the password is kept."""
    return home.passwords / f"{names.app}.{names.environment}.json"


def read_password(home: Home, names: EnvironmentNames) -> DatabaseAccess | None:
    """Return how the database is reached, or none when it never was made here."""
    kept = _read(home, names)
    return DatabaseAccess(name=kept.name, user=kept.user, password=kept.password) if kept else None


def is_kept_administered(home: Home, names: EnvironmentNames) -> bool:
    """Whether the database was made with an administrator who is not its user."""
    kept = _read(home, names)
    return kept is not None and kept.administered


def keep_password(home: Home, names: EnvironmentNames, access: DatabaseAccess, *, administered: bool) -> None:
    """Write it down, unless it stands there already."""
    if read_password(home, names) == access and is_kept_administered(home, names) == administered:
        return
    home.passwords.mkdir(parents=True, exist_ok=True)
    home.passwords.chmod(0o700)
    kept = Password(name=access.name, user=access.user, password=access.password, administered=administered)
    content = kept.model_dump() | {"password": access.password.get_secret_value()}
    write_private(password_file(home, names), json.dumps(content).encode())


def _read(home: Home, names: EnvironmentNames) -> Password | None:
    try:
        return Password.model_validate_json(password_file(home, names).read_bytes())
    except FileNotFoundError:
        return None


def forget_password(home: Home, names: EnvironmentNames) -> None:
    """Remove it, with the database that it belongs to."""
    password_file(home, names).unlink(missing_ok=True)

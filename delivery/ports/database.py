"""The database of an environment: how it is reached, and what a place does for it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol
from urllib.parse import quote

from pydantic import SecretStr

from delivery.errors import Misconfigured

ALIAS = "database"
PORT = 5432
USER = "app"
UNFINISHED = "headway_unfinished_"  # what a database is called, with more, until all of a backup is in it
SECRET_VARIABLES = ("DATABASE_URL", "PGPASSWORD")  # of those that the containers of an application get


@dataclass(frozen=True)
class DatabaseAccess:
    """How a container on the same network reaches a database."""

    name: str
    password: SecretStr
    user: str = USER
    host: str = ALIAS
    port: int = PORT

    @property
    def url(self) -> SecretStr:
        """The address with user and password, as DATABASE_URL carries it; what means something in one is written as %…

        https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
        """
        user, password, name = (quote(one, safe="") for one in (self.user, self.password.get_secret_value(), self.name))
        return SecretStr(f"postgresql://{user}:{password}@{self.host}:{self.port}/{name}")

    def facts(self) -> dict[str, str | SecretStr]:
        """Return what `${database.…}` stands for in the application's variables."""
        return {
            "database.url": self.url,
            "database.host": self.host,
            "database.port": str(self.port),
            "database.name": self.name,
            "database.user": self.user,
            "database.password": self.password,
        }

    def client_env(self) -> dict[str, str]:
        """Return the variables with which PostgreSQL's own programs connect."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGDATABASE": self.name,
            "PGPASSWORD": self.password.get_secret_value(),
        }


@dataclass(frozen=True)
class Ended:
    """What was ended of a migration that was given up."""

    containers: int = 0
    sessions: int = 0

    def __bool__(self) -> bool:
        """Whether there was anything."""
        return bool(self.containers or self.sessions)


def standard_variables(access: DatabaseAccess | None) -> dict[str, str]:
    """Return the variables every container of an application with a database gets: an address, and those of libpq."""
    return {"DATABASE_URL": access.url.get_secret_value(), **access.client_env()} if access else {}


def check_beside(name: str, databases: Sequence[str]) -> None:
    """Return when `name` is one beside the application's, which is the first; Misconfigured, with those, otherwise."""
    live, *others = databases or ("",)
    if name not in others:
        found = "is the one that the application uses" if name == live else "is not there"
        raise Misconfigured(f"database {name}", found, ", ".join(others) or "none but that")


class EnvironmentDatabase(Protocol):
    """The database that an environment keeps for its releases."""

    def find(self) -> DatabaseAccess | None:
        """Return how the environment's database is reached, or none when it has none yet."""
        ...

    def holds_data(self) -> bool:
        """Whether there is data of a database, also when nothing runs it just now."""
        ...

    def ensure(self, *, anew: bool = False) -> DatabaseAccess:
        """Return how it is reached, running and letting its user in; its data outlives whatever runs it.

        It is reached as before when what runs it was lost, and runs from the image that headway.yaml names now. Raises
        Rejected when it does not answer or refuses its user, Misconfigured when its image or name does not fit the data
        that is kept, or when its data is gone and an empty one is not what was asked for: `anew`.
        """
        ...

    def beside(self) -> tuple[str, ...]:
        """Return the databases beside each other, that of the application first; none when nothing runs them."""
        ...

    def use(self, name: str) -> str:
        """Put the database `name` behind the application, and return what the one before is called from then on.

        Connections to both end. Raises Misconfigured when there is no such database.
        """
        ...

    def drop(self, name: str) -> None:
        """Remove a database that the application does not use; Misconfigured for the one that it does."""
        ...

    def drop_unfinished(self) -> tuple[str, ...]:
        """Drop what statements outside of transactions left half done, indexes that nobody can use; return their names.

        What is still being built stays.
        """
        ...

    def end_migration(self, run: str) -> Ended:
        """End what a migration of `run` still does: its container and its sessions in the database are gone then."""
        ...


def check_free(name: str, there: tuple[str, ...], environment: str) -> None:
    """Return when a database may be called so and none is; `there` are those there are, the application's first.

    Raises Misconfigured otherwise.
    """
    if not re.fullmatch(r"[A-Za-z_][\w$-]{0,62}", name, re.ASCII):
        allowed = "letters, digits, underscores and hyphens, 63 at most, beginning with no digit"
        raise Misconfigured(f"database {name} of {environment}", "is no name for a database", allowed)
    if name in there:
        raise Misconfigured(
            f"database {name} of {environment}",
            "is there already, and nothing is restored over a database",
            "another name than " + ", ".join(there),
            f"headway database drop {name} removes it" if name != there[0] else "",
        )


def unfinished_name(into: str) -> str:
    """Return what a database is called that will be `into` once it is whole: the same, whichever run makes it."""
    return f"{UNFINISHED}{sha256(into.encode()).hexdigest()[:12]}"


def unfinished_in(there: Iterable[str]) -> tuple[str, ...]:
    """Return those of the databases that a restore began and did not end."""
    return tuple(name for name in there if name.startswith(UNFINISHED))

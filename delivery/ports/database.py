"""The database of an environment: how it is reached, and what a place does for it."""

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

ALIAS = "database"
PORT = 5432
USER = "app"
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
        """The address with user and password, as DATABASE_URL carries it."""
        password = self.password.get_secret_value()
        return SecretStr(f"postgresql://{self.user}:{password}@{self.host}:{self.port}/{self.name}")

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


def standard_variables(access: DatabaseAccess | None) -> dict[str, str]:
    """Return the variables every container of an application with a database gets: an address, and those of libpq."""
    return {"DATABASE_URL": access.url.get_secret_value(), **access.client_env()} if access else {}


class EnvironmentDatabase(Protocol):
    """The database that an environment keeps for its releases."""

    def find(self) -> DatabaseAccess | None:
        """Return how the environment's database is reached, or none when it has none yet."""
        ...

    def ensure(self) -> DatabaseAccess:
        """Return how it is reached, running and answering; its data outlives whatever runs it.

        Raises Rejected when it does not answer, Misconfigured when its image does not fit the data that is kept.
        """
        ...

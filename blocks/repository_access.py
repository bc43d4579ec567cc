"""By which secrets a repository elsewhere is reached, for every machine that fetches from it."""

import hashlib
from contextlib import suppress

from prefect.blocks.core import Block
from pydantic import Field


class RepositoryAccess(Block):
    """A repository by its address, the names of the secrets that open it, and the hosts that are believed."""

    _block_type_name = "Headway repository access"
    _block_type_slug = "headway-repository-access"
    _description = "By which secrets a repository is fetched."

    address: str = Field(description="of the repository")
    deploy_key: str | None = Field(None, description="name of the secret with the private key; none: no key")
    token: str | None = Field(None, description="name of the secret with the token; none: no token")
    known_hosts: str = Field("", description="keys of the host, as ssh keeps them")


def load_access(address: str) -> RepositoryAccess | None:
    """Return how a repository is reached, or none when nothing was said about it."""
    with suppress(ValueError):
        found = RepositoryAccess.load(_name(address), _sync=True)  # type: ignore[call-arg]
        assert isinstance(found, RepositoryAccess)
        return found
    return None


def save_access(address: str, deploy_key: str | None, token: str | None, known_hosts: str) -> None:
    """Make sure that the repository is reached so from now on."""
    made = RepositoryAccess(address=address, deploy_key=deploy_key, token=token, known_hosts=known_hosts)
    made.save(_name(address), overwrite=True, _sync=True)  # type: ignore[call-arg]


def _name(address: str) -> str:
    return f"repository-{hashlib.sha256(address.encode()).hexdigest()[:16]}"

"""How repositories elsewhere are reached: by the secrets that were named for them, wherever a run goes on."""

from blocks.repository_access import load_access, save_access
from delivery.errors import Misconfigured
from delivery.programs.access import Access, known_hosts_of
from delivery.spec.repository import Repository
from tasks.secret_values import load_value


def access_to(address: str) -> Access | None:
    """Return by what the repository is reached; none: as this machine's git reaches it by itself.

    Raises Misconfigured when a secret that was named for it is not there.
    """
    found = load_access(address)
    if found is None:
        return None
    values = {}
    for key, name in (("deploy_key", found.deploy_key), ("token", found.token)):
        if name and (value := load_value(name)) is None:
            next_step = f"headway secret set {name}"
            raise Misconfigured(f"headway.yaml: repository.{key}", f"there is no secret {name}", next_step=next_step)
        values[key] = value if name else None
    return Access(deploy_key=values["deploy_key"], token=values["token"], known_hosts=found.known_hosts)


def give_access(address: str, repository: Repository) -> None:
    """Make sure that runs reach the repository as headway.yaml says, on whichever machine they are."""
    hosts = known_hosts_of(address) if repository.deploy_key else ""
    save_access(address, repository.deploy_key, repository.token, hosts)

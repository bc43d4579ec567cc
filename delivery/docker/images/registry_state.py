"""How the platform's own registry is: whether it answers, what is wrong with it, and what it has lost."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import psutil
from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from pydantic import SecretStr, ValidationError

from delivery.docker.engine.client import connect
from delivery.errors import Misconfigured, Rejected, Transient
from delivery.home import Home
from delivery.model import Model
from delivery.ports.registry import Login, Registry

PROBE_SECONDS = 3
REFUSED = "401 Unauthorized"
UP = "headway up starts it again, with the images it has"
AGAIN = "headway run builds and pushes it again; a release whose images are gone cannot be rolled back to"
_KNOWN: dict[str, Callable[[], Login]] = {}
_UNKNOWN = re.compile(r"manifest.unknown|[0-9a-f]{64}: not found|unknown blob|blob unknown", re.IGNORECASE)


class RegistryRecord(Model):
    """Where the registry was, kept so that it comes back there when its container is gone."""

    port: int

    @property
    def address(self) -> str:
        """The address that stands in front of the images of releases."""
        return f"127.0.0.1:{self.port}"


class RegistryState(Model):
    """What was found; `problem` is empty when images can be pushed and pulled."""

    address: str = ""
    problem: str = ""
    next_step: str = ""

    def __str__(self) -> str:
        """What is wrong and what to do, as a message ends."""
        return f"the platform's registry at {self.address}: {self.problem}\n  next: {self.next_step}"


def registry_name(home: Home) -> str:
    """Return the name of the registry's container, and of its volume."""
    return f"headway-{home.identity}-registry"


def read_record(home: Home) -> RegistryRecord | None:
    """Return where the registry was; none when there never was one."""
    try:
        return RegistryRecord.model_validate_json(_path(home).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def write_record(home: Home, record: RegistryRecord) -> None:
    """Keep where it is."""
    _path(home).write_text(record.model_dump_json())


def own_registry(home: Home) -> Registry:
    """Return the platform's own registry, wherever it is when it is asked; Misconfigured when there never was one."""

    def address() -> str:
        if (record := read_record(home)) is None:
            raise Misconfigured("the platform's registry", "it was never started", next_step="headway up")
        return record.address

    return Registry(address)


def registry_key(home: Home) -> SecretStr:
    """Return what the platform's own registry asks for, as `user:password`; made once for this platform."""
    return home.key(home.registry_key)


def know(registry: Registry) -> Registry:
    """Let the engine be let into a registry from now on, for whatever this process pushes or pulls there."""
    if registry.login:
        _KNOWN[registry.address()] = registry.login
    return registry


def login_of(reference: str, home: Home) -> dict[str, str] | None:
    """Return what the engine says to a registry of the platform for an image of it; none for another's image."""
    record = read_record(home)
    if record and reference.startswith(f"{record.address}/"):
        user, _, password = registry_key(home).get_secret_value().partition(":")
        return {"username": user, "password": password, "serveraddress": record.address}
    for address, ask in _KNOWN.items():
        if reference.startswith(f"{address}/"):
            login = ask()
            password = login.password.get_secret_value()
            return {"username": login.user, "password": password, "serveraddress": login.server.partition("/")[0]}
    return None


def look_at_registry(home: Home, client: DockerClient | None = None) -> RegistryState:
    """Return how it is; the engine must answer."""
    client, record = client or connect(), read_record(home)
    try:
        container = client.containers.get(registry_name(home))
    except NotFound:
        if record is None:
            return RegistryState(problem="it was never started", next_step="headway up")
        lost = "" if has_volume(client, home) else ", and the volume with all its images"
        return RegistryState(address=record.address, problem=f"its container was removed{lost}", next_step=UP)
    address = f"127.0.0.1:{port_of(container)}"
    return RegistryState(address=address, problem=_trouble(container), next_step=UP)


def has_volume(client: DockerClient, home: Home) -> bool:
    """Whether there is the volume with its images."""
    try:
        client.volumes.get(registry_name(home))
    except NotFound:
        return False
    return True


def registry_error(reference: str, said: str, home: Home | None = None) -> Transient | Rejected | None:
    """Return what it is that keeps an image of the platform's own registry from being pushed or pulled.

    Transient for a registry that is down, which is started again; Rejected for an image that it lost. None when it is
    another registry's, or this one is well.
    """
    home = home or Home.current()
    record = read_record(home)
    if record is None or not reference.startswith(f"{record.address}/"):
        return None
    with contextlib.suppress(APIError):
        if (state := look_at_registry(home)).problem:
            return Transient(f"{reference}: {state}")
    if _UNKNOWN.search(said):
        return Rejected(f"{reference}: the platform's registry does not have it any more\n  next: {AGAIN}")
    return None


def answer_of(container: Container) -> str:
    """Return why it does not answer, or nothing; asked from inside: the engine's loopback may be another machine's."""
    # Not its own -T: BusyBox of Debian 12 ends with a segmentation fault then.
    wget = ["wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port_of(container)}/v2/"]
    probe = ["timeout", str(PROBE_SECONDS), *wget]
    try:
        ended = container.exec_run(probe)
    except APIError as error:  # it ended
        return str(error.explanation or error)
    said = bytes(ended.output or b"").decode(errors="replace").strip().splitlines()  # type: ignore[arg-type]
    if ended.exit_code == 0 or any(REFUSED in line for line in said):  # asked without its key
        return ""
    return f"it does not answer: {said[-1]}" if said else f"it does not answer within {PROBE_SECONDS} s"


def port_of(container: Container) -> int:
    """Return the port it is published on."""
    bindings = container.attrs["HostConfig"]["PortBindings"]
    return int(next(iter(bindings.values()))[0]["HostPort"])


def holder_of(port: int) -> str:
    """Return the program of this machine that listens on the port, as far as this user may know."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr[1:2] == (port,):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another program"


def _trouble(container: Container) -> str:
    if container.status != "running":
        code = container.attrs["State"].get("ExitCode")
        return f"its container is {container.status}" + (f", with exit code {code}" if code else "")
    return answer_of(container)


def _path(home: Home) -> Path:
    return home.root / "registry.json"

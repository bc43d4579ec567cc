"""What stands in headway.yaml about what runs: services, which are released, and backing services, which are kept."""

from typing import Annotated

from pydantic import Field, field_validator

from delivery.model import ContainerFolder, HostName, HttpPath, Model, Name
from delivery.spec.health import LOCAL_HOST, Health, HealthSetting, health_of
from delivery.spec.parts import Cpus, Files, Memory, Pids, Secrets

Port = Annotated[int, Field(ge=1, le=65535)]


class Service(Model):
    """One part of the application that is released blue-green."""

    image: str | None = Field(None, description="name under `images`, or any image reference; the service's own name")
    command: list[str] | None = Field(None, description="instead of the image's own command")
    port: Port | None = Field(None, description="port the container listens on; none: a worker without traffic")
    routes: tuple[HttpPath, ...] = Field((), description="path prefixes the router sends here; a lone service gets /")
    instances: int = Field(1, ge=1, le=20, description="how many run side by side")
    hosts: tuple[HostName, ...] = Field((), description="names whose requests come here; none: those of any other name")
    health: HealthSetting | None = Field(
        None, description="path that answers 2xx when ready, or settings; none: its first answer, then that it accepts"
    )
    version: HttpPath | None = Field(
        None, description="path whose JSON tells `digest` (and `revision`); none: the digest is read from the runtime"
    )
    env: dict[str, str] = Field({}, description="environment variables; ${database.url} and the like are filled in")
    env_file: Files | None = Field(None, description="dotenv file, or a list of them; `env` wins over what is in them")
    secrets: Secrets = Field({}, description="variable: name of a Prefect secret block; or variables of environments")
    volumes: dict[Name, ContainerFolder] = Field(
        {}, description="volume: folder in the container; kept across releases, shared by all that name it"
    )
    cpus: Cpus | None = Field(None, description="processor cores each instance may use, also parts of one; none: all")
    memory: Memory | None = Field(None, description="memory each instance may use, like 512m; none: all there is")
    pids: Pids | None = Field(None, description="processes and threads each instance may have; none: no limit")
    init: bool = Field(True, description="false: the image's own program is process 1")
    needs: tuple[Name, ...] = Field((), description="services and backing services that must be up first")
    request_seconds: int = Field(300, ge=1, le=86400, description="until an answer begins, and of silence within one")
    idle_seconds: int = Field(3600, ge=1, le=604800, description="of silence on an upgraded connection (WebSocket)")
    drain_seconds: int | None = Field(
        None, ge=0, le=3600, description="for what is in flight when traffic left the slot; then comes SIGTERM"
    )
    stop_seconds: int = Field(15, ge=0, le=600, description="between SIGTERM and SIGKILL")
    start_seconds: int = Field(60, ge=1, le=1800, description="until healthy, or the release is withdrawn")

    @property
    def draining_seconds(self) -> int:
        """How long what is in flight may go on after traffic left the slot."""
        return max(30, self.stop_seconds) if self.drain_seconds is None else self.drain_seconds

    @field_validator("health", mode="before")
    @classmethod
    def _switched_off(cls, value: object) -> object:
        return "none" if value is False else value

    @property
    def checked(self) -> Health:
        """How it is asked whether it is well, whichever form `health` has."""
        return health_of(self.health)

    @property
    def host(self) -> str:
        """The Host header of whatever Headway asks it."""
        return self.checked.host or self.public_host

    @property
    def public_host(self) -> str:
        """A name that leads users here, where it has any of its own."""
        return self.hosts[0].replace("*", "www", 1) if self.hosts else self.checked.host or LOCAL_HOST

    @property
    def ways(self) -> tuple[str, ...]:
        """What the router sends here: path prefixes, behind one of its names where it has any (`shop.org/api`)."""
        prefixes = self.routes or (("/",) if self.hosts else ())
        return tuple(f"{host}{prefix}" for host in self.hosts for prefix in prefixes) or prefixes


class Backing(Model):
    """A service beside the application (cache, broker): kept across releases, fresh in every test cell."""

    image: str = Field(description="any image reference")
    command: list[str] | None = Field(None, description="instead of the image's own command")
    port: Port | None = Field(None, description="port the container listens on; ready when it accepts")
    env: dict[str, str] = Field({}, description="environment variables, as they are")
    env_file: Files | None = Field(None, description="dotenv file, or a list of them; `env` wins over what is in them")
    secrets: Secrets = Field({}, description="variable: name of a Prefect secret block; or variables of environments")
    volume: ContainerFolder | None = Field(None, description="path in the container that is kept")
    cpus: Cpus | None = Field(None, description="processor cores it may use, also parts of one; none: all")
    memory: Memory | None = Field(None, description="memory it may use, like 512m; none: all there is")
    pids: Pids | None = Field(None, description="processes and threads it may have; none: no limit")
    needs: tuple[Name, ...] = Field((), description="backing services that must be up first")


Part = Service | Backing

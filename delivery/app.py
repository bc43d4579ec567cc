"""`headway.yaml` as values: what an application is made of, how it is tested and where it goes."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from delivery.checks import Check
from delivery.consistency import problems_of
from delivery.entry import Address, Certificate, Network
from delivery.health import LOCAL_HOST, Health, HealthSetting, health_of
from delivery.model import ContainerFolder, HostName, HttpPath, Model, Name
from delivery.parts import Cpus, Files, Memory, Pids, Secrets
from delivery.shift import ShiftPlan, as_plan
from delivery.stand_ins import StandIns

Severity = Literal["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
Port = Annotated[int, Field(ge=1, le=65535)]
DATABASE_PATTERN = r"^[a-z_][a-z0-9_]{0,62}$"
Folders = Annotated[
    Annotated[str, Tag("folder")] | Annotated[tuple[str, ...], Field(min_length=1), Tag("folders")],
    Discriminator(lambda value: "folders" if isinstance(value, list | tuple) else "folder"),
]
PARTS_ALONE = {"only": "parts"}  # the context in which they need not fit together
Tool = Literal["command", "jest", "vitest", "node", "pytest", "newman", "playwright", "cypress"]


class Image(Model):
    """One image built from the repository."""

    context: str = Field(".", description="folder sent to the build, relative to headway.yaml")
    dockerfile: str = Field("Dockerfile", description="relative to the context")
    target: str | None = Field(None, description="build stage; the last one when left out")
    build_args: dict[str, str] = Field({}, description="build arguments")
    bases: dict[str, str] = Field(
        {}, description="other images to use for those the Dockerfile starts from: {'node:22-alpine': 'mirror/node:22'}"
    )


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


class Migration(Model):
    """How the schema is brought up to date: any command in any image."""

    image: str = Field(description="name under `images`, or an image reference")
    command: list[str] | None = Field(None, description="instead of the image's own command")
    env: dict[str, str] = Field(
        {}, description="environment variables beside DATABASE_URL; ${database.url} is filled in"
    )
    env_file: Files | None = Field(None, description="dotenv file, or a list of them; `env` wins over what is in them")
    secrets: Secrets = Field({}, description="variable: name of a Prefect secret block; or variables of environments")
    files: Folders | None = Field(
        None, description="folder of the migrations, or a list of them; what is in them is part of the release"
    )
    timeout_seconds: int = Field(600, ge=1, description="after it the migration failed")

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of `files`."""
        return tuple(filter(None, [self.files] if isinstance(self.files, str) else self.files or ()))


class Database(Model):
    """The application's PostgreSQL database."""

    engine: Literal["postgres"] = Field("postgres", description="the one that is known")
    image: str = Field("postgres:15-alpine", description="image of the server, in test cells as well")
    name: str = Field("app", pattern=DATABASE_PATTERN, description="name of the database")
    migrate: Migration | None = Field(None, description="none: the application sees to its schema itself")


class Suite(Model):
    """One row of the test matrix: an image or build stage, a command and what it needs around it."""

    tool: Tool = Field("command", description="knows how the tool shards and where it writes JUnit")
    image: str | None = Field(None, description="name under `images`, or an image reference")
    build: Image | None = Field(None, description="an image only for this suite (a test stage, a folder of tests)")
    compose: str | None = Field(None, description="a Compose file to use as the environment")
    compose_service: str | None = Field(None, description="the Compose service whose exit code counts")
    command: list[str] | None = Field(None, description="instead of the image's or the tool's own; ${axis} works")
    services: tuple[Name, ...] = Field((), description="services under test that run beside the suite")
    database: bool = Field(False, description="an own, migrated database for each cell")
    env: dict[str, str] = Field({}, description="environment variables; ${axis} and ${database.url} are filled in")
    env_file: Files | None = Field(None, description="dotenv file, or a list of them; `env` wins over what is in them")
    secrets: dict[str, str] = Field({}, description="variable: name of the Prefect secret block that holds it")
    junit: str | None = Field(None, description="glob of JUnit files in the container; none: the exit code alone")
    axes: dict[Name, tuple[str, ...]] = Field({}, description="every combination is a cell; given as variables")
    shards: int = Field(
        1,
        ge=1,
        le=64,
        description="cells the tests are spread over: HEADWAY_SHARD counts from 1, HEADWAY_SHARD_INDEX from 0",
    )
    timeout_seconds: int = Field(600, ge=1, description="after it the cell is stopped and did not pass")

    @model_validator(mode="after")
    def _one_way_to_run(self) -> Self:
        given = [key for key in ("image", "build", "compose") if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"needs exactly one of image, build, compose (found {found})")
        if self.compose and not self.compose_service:
            raise ValueError("compose needs compose_service: the service whose exit code counts")
        for axis, values in self.axes.items():
            if not values or len(set(values)) < len(values):
                raise ValueError(f"axes.{axis}: needs at least one value, and none twice (found {list(values)})")
        return self


class Waiver(Model):
    """A finding that somebody answers for until a date."""

    id: str = Field(description="CVE, rule or secret id; licences by name")
    package: str | None = Field(None, description="only in this package; none: in any")
    owner: str = Field(min_length=2, description="who answers for it")
    reason: str = Field(min_length=5, description="why it may stay until then")
    expires: date = Field(description="the last day it counts")


class ScanPolicy(Model):
    """What a scan must not show."""

    block: tuple[Severity, ...] = Field(("CRITICAL", "HIGH"), description="vulnerabilities that stop a release")
    ignore_unfixed: bool = Field(True, description="pass vulnerabilities for which there is no fix")
    secrets: Literal["block", "allow"] = Field("block", description="what a secret in an image does")
    misconfigurations: tuple[Severity, ...] = Field(("CRITICAL",), description="image misconfigurations that stop")
    forbidden_licences: tuple[str, ...] = Field((), description="licences, by SPDX name, that stop a release")
    waivers: tuple[Waiver, ...] = Field((), description="findings that pass until a date")
    database: str | None = Field(None, description="OCI repository of the vulnerability database; none: Trivy's own")
    max_age_hours: int = Field(72, ge=1, description="older databases are inconclusive")
    when_inconclusive: Literal["block", "allow"] = Field("block", description="when a scan cannot say yes or no")


class Approval(Model):
    """Who lets a release into the environment, and how long it is waited for."""

    by: Literal["person", "nobody"] = Field("person", description="nobody: unattended, and the record says so")
    wait: Literal["pause", "suspend"] = Field("pause", description="suspend: no process waits")
    timeout_seconds: int = Field(86400, ge=5, description="after it the release is rejected")


class Watch(Model):
    """How long and how strictly live traffic is looked at."""

    seconds: float = Field(10, ge=0, le=86400, description="after the last shift, before the old slot is retired")
    interval_seconds: float = Field(0.2, gt=0, le=10, description="between two looks at the counters")
    longer_seconds: float = Field(
        120, ge=0, le=86400, description="at most, looked on for while the verdict is inconclusive"
    )
    max_error_percent: float = Field(1.0, ge=0, le=100, description="share of requests that may fail")
    min_requests: int = Field(20, ge=0, description="below it Headway sends its own probes")
    max_slowdown: float = Field(
        3.0, ge=1, description="times the release before, at the median and the 95th percentile"
    )
    max_latency_ms: float | None = Field(
        None, gt=0, description="within it 95 % of requests are answered; none: only compared with the release before"
    )
    when_inconclusive: Literal["withdraw", "continue"] = Field(
        "withdraw", description="when it cannot be told after all that time either"
    )


class DockerTarget(Model):
    """Releases run on a Docker host behind HAProxy."""

    kind: Literal["docker"] = Field("docker", description="may be left out")
    host: str | None = Field(None, description="DOCKER_HOST of the machine; none: the one Headway uses itself")
    port: Port | None = Field(None, description="where the router listens; none: a free port, kept from then on")
    bind: Address = Field("127.0.0.1", description="address the router listens on")
    tls: tuple[Certificate, ...] = Field((), description="certificates of the HTTPS entry; none: HTTP alone")
    https_port: Port | None = Field(None, description="where HTTPS is; none: a free port, kept from then on")
    trusted_proxies: tuple[Network, ...] = Field((), description="networks whose X-Forwarded-* headers are believed")

    @field_validator("tls", mode="before")
    @classmethod
    def _one_certificate(cls, value: object) -> object:
        return (value,) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _a_port_for_something(self) -> Self:
        if self.https_port is not None and not self.tls:
            raise ValueError("https_port needs tls: the certificates that HTTPS shows")
        if self.https_port is not None and self.https_port == self.port:
            raise ValueError(f"https_port: {self.https_port} is the port of HTTP as well")
        return self


class MemoryTarget(Model):
    """Releases run in this process; for trying pipelines out without Docker."""

    kind: Literal["memory"] = Field(description="said, for the default is docker")


TargetConfig = Annotated[DockerTarget | MemoryTarget, Field(discriminator="kind")]


class Environment(Model):
    """A named place with a target and the policy for getting there."""

    target: TargetConfig = Field(
        DockerTarget(), description="where releases run: a Docker host when `kind` is left out"
    )
    after: Name | None = Field(None, description="the environment a release passes first")
    approval: Approval = Field(Approval(by="nobody"), description="who lets a release in; left out: nobody is asked")
    shift: ShiftPlan = Field(as_plan("AllAtOnce"), description="preset name or plan", validate_default=True)
    watch: Watch = Field(Watch(), description="how live traffic is looked at before the old slot is retired")
    acceptance: tuple[Name, ...] = Field((), description="suites run against the environment; BASE_URL says where")
    checks: tuple[Check, ...] = Field((), description="questions to a release that withdraw it when they fail")
    env: dict[str, str] = Field({}, description="variables of every service here, over those of the service itself")
    env_file: Files | None = Field(None, description="dotenv file, or a list of them; `env` wins over what is in them")
    secrets: dict[str, str] = Field({}, description="variable: name of the Prefect secret block that holds it")
    busy: Literal["queue", "supersede", "reject"] = Field("queue", description="while another change holds it")
    prove_backup: bool = Field(False, description="restore a backup before a release may migrate the database")
    keep_warm_seconds: float = Field(
        0, ge=0, le=172800, description="after the last watch, how long what was replaced stands ready to come back"
    )
    keep_releases: int = Field(5, ge=1, le=50, description="how many can be rolled back to")

    @field_validator("shift", mode="before")
    @classmethod
    def _preset(cls, value: object) -> object:
        return value if isinstance(value, dict | ShiftPlan) else as_plan(str(value))

    @field_validator("target", mode="before")
    @classmethod
    def _docker_unless_said(cls, value: object) -> object:
        return {"kind": "docker", **value} if isinstance(value, dict) and "kind" not in value else value


class App(Model):
    """The whole of `headway.yaml`."""

    app: Name = Field(description="the application's name")
    images: dict[Name, Image] = Field(min_length=1, description="built on every commit")
    services: dict[Name, Service] = Field({}, description="released blue-green, all together")
    backing: dict[Name, Backing] = Field({}, description="kept beside the application")
    database: Database | None = Field(None, description="one in each environment, and one for each test cell")
    suites: dict[Name, Suite] = Field({}, description="the test matrix; what an environment accepts by runs only there")
    environments: dict[Name, Environment] = Field(min_length=1, description="where releases go")
    scan: ScanPolicy = Field(ScanPolicy(), description="what a scan of the images must not show")
    stand_ins: StandIns = Field(
        "when-missing", description="when images made from Debian packages take the place of images from elsewhere"
    )
    parallel_builds: int = Field(4, ge=1, le=32, description="images built at once")
    parallel_cells: int = Field(4, ge=1, le=64, description="test cells at once")

    def service_image(self, name: str) -> str:
        """Return what the service runs: a name under `images` or an image reference."""
        return self.services[name].image or name

    def builds(self) -> dict[str, Image]:
        """Return everything that is built, each under its key in the file."""
        suites = {f"suites.{name}.build": suite.build for name, suite in self.suites.items() if suite.build}
        return {f"images.{name}": image for name, image in self.images.items()} | suites

    def secrets_of_parts(self) -> dict[str, dict[str, str | None]]:
        """Return the secrets of what an environment runs, each under its key in the file; none: the environment's."""
        parts = {f"backing.{name}": backing.secrets for name, backing in self.backing.items()}
        if self.database and self.database.migrate:
            parts["database.migrate"] = self.database.migrate.secrets
        parts |= {f"services.{name}": service.secrets for name, service in self.services.items()}
        return {key: secrets for key, secrets in parts.items() if secrets}

    def routes(self) -> dict[str, str]:
        """Return path prefix, behind a host where one is said → service name; a lone service with a port takes `/`."""
        named = {way: name for name, service in self.services.items() for way in service.ways}
        with_port = [name for name, service in self.services.items() if service.port]
        return named or ({"/": with_port[0]} if len(with_port) == 1 else {})

    def runs_image_check(self, name: str) -> bool:
        """Whether the HEALTHCHECK of its image says anything of a service.

        That of a web server says nothing of a worker which runs the same image with another command.
        """
        service, image = self.services[name], self.service_image(name)
        shared = any(one.port and self.service_image(other) == image for other, one in self.services.items())
        said = service.checked.image_check
        return (service.port is not None or not shared) if said is None else said

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Self:
        if info.context != PARTS_ALONE and (problems := problems_of(self)):
            raise ValueError("\n".join(problems))
        return self

    def start_order(self) -> list[str]:
        """Return services and backing services so that each comes after what it needs."""
        order: list[str] = []

        def add(name: str) -> None:
            part = self.services.get(name) or self.backing[name]
            for need in part.needs:
                add(need)
            if name not in order:
                order.append(name)

        for name in [*self.backing, *self.services]:
            add(name)
        return order

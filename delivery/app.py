"""`headway.yaml` as values: what an application is made of, how it is tested and where it goes."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from delivery.model import Model, Name
from delivery.shift import PRESETS, ShiftPlan, as_plan

Severity = Literal["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
Port = Annotated[int, Field(ge=1, le=65535)]
HttpPath = Annotated[str, StringConstraints(pattern=r"^/\S*$")]
Tool = Literal["command", "jest", "pytest", "newman", "playwright", "cypress"]


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
    instances: int = Field(1, ge=1, le=20)
    health: HttpPath | None = Field(None, description="path that answers 2xx when ready; none: the port accepts")
    version: HttpPath | None = Field(
        None, description="path whose JSON tells `digest` (and `revision`); none: the digest is read from the runtime"
    )
    env: dict[str, str] = Field({}, description="environment variables; ${database.url} and the like are filled in")
    needs: tuple[Name, ...] = Field((), description="services and backing services that must be up first")
    stop_seconds: int = Field(15, ge=0, le=600, description="between SIGTERM and SIGKILL")
    start_seconds: int = Field(60, ge=1, le=1800, description="until healthy, or the release is withdrawn")


class Backing(Model):
    """A service beside the application (cache, broker): kept across releases, fresh in every test cell."""

    image: str
    command: list[str] | None = None
    port: Port | None = None
    env: dict[str, str] = {}
    volume: HttpPath | None = Field(None, description="path in the container that is kept")
    needs: tuple[Name, ...] = ()


class Migration(Model):
    """How the schema is brought up to date: any command in any image."""

    image: str = Field(description="name under `images`, or an image reference")
    command: list[str] | None = None
    env: dict[str, str] = {}
    files: str | None = Field(None, description="folder of the migrations; its content is part of the release")
    timeout_seconds: int = Field(600, ge=1)


class Database(Model):
    """The application's PostgreSQL database."""

    engine: Literal["postgres"] = "postgres"
    image: str = "postgres:15-alpine"
    name: str = Field("app", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    migrate: Migration | None = None


class Suite(Model):
    """One row of the test matrix: an image or build stage, a command and what it needs around it."""

    tool: Tool = Field("command", description="knows how the tool shards and where it writes JUnit")
    image: str | None = Field(None, description="name under `images`, or an image reference")
    build: Image | None = Field(None, description="an image only for this suite (a test stage, a folder of tests)")
    compose: str | None = Field(None, description="a Compose file to use as the environment")
    compose_service: str | None = Field(None, description="the Compose service whose exit code counts")
    command: list[str] | None = None
    services: tuple[Name, ...] = Field((), description="services under test that run beside the suite")
    database: bool = Field(False, description="an own, migrated database for each cell")
    env: dict[str, str] = {}
    junit: str | None = Field(None, description="glob of JUnit files in the container; none: the exit code alone")
    axes: dict[Name, tuple[str, ...]] = Field({}, description="every combination is a cell; given as variables")
    shards: int = Field(1, ge=1, le=64)
    timeout_seconds: int = Field(600, ge=1)

    @model_validator(mode="after")
    def _one_way_to_run(self) -> Self:
        given = [key for key in ("image", "build", "compose") if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"needs exactly one of image, build, compose (found {found})")
        if self.compose and not self.compose_service:
            raise ValueError("compose needs compose_service: the service whose exit code counts")
        if any(not values for values in self.axes.values()):
            raise ValueError("an axis needs at least one value")
        return self


class Waiver(Model):
    """A finding that somebody answers for until a date."""

    id: str = Field(description="CVE, rule or secret id; licences by name")
    package: str | None = None
    owner: str = Field(min_length=2)
    reason: str = Field(min_length=5)
    expires: date


class ScanPolicy(Model):
    """What a scan must not show."""

    block: tuple[Severity, ...] = Field(("CRITICAL", "HIGH"), description="vulnerabilities that stop a release")
    ignore_unfixed: bool = Field(True, description="pass vulnerabilities for which there is no fix")
    secrets: Literal["block", "allow"] = "block"
    misconfigurations: tuple[Severity, ...] = Field(("CRITICAL",), description="image misconfigurations that stop")
    forbidden_licences: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    database: str | None = Field(None, description="OCI repository of the vulnerability database; none: Trivy's own")
    max_age_hours: int = Field(72, ge=1, description="older databases are inconclusive")
    when_inconclusive: Literal["block", "allow"] = "block"


class Approval(Model):
    """Who lets a release into the environment, and how long it is waited for."""

    by: Literal["person", "nobody"] = Field("person", description="nobody: unattended, and the record says so")
    wait: Literal["pause", "suspend"] = Field("pause", description="suspend: no process waits")
    timeout_seconds: int = Field(86400, ge=5, description="after it the release is rejected")


class Watch(Model):
    """How long and how strictly live traffic is looked at."""

    seconds: float = Field(10, ge=0, description="after the last shift, before the old slot is retired")
    interval_seconds: float = Field(0.2, gt=0, le=10)
    max_error_percent: float = Field(1.0, ge=0, le=100)
    min_requests: int = Field(20, ge=0, description="below it Headway sends its own probes")
    when_inconclusive: Literal["withdraw", "continue"] = "withdraw"


class DockerTarget(Model):
    """Releases run on a Docker host behind HAProxy."""

    kind: Literal["docker"] = "docker"
    host: str | None = Field(None, description="DOCKER_HOST of the machine; none: the one Headway uses itself")
    port: Port | None = Field(None, description="where the router listens; none: a free port, kept from then on")
    bind: str = Field("127.0.0.1", description="address the router listens on")


class MemoryTarget(Model):
    """Releases run in this process; for trying pipelines out without Docker."""

    kind: Literal["memory"]


TargetConfig = Annotated[DockerTarget | MemoryTarget, Field(discriminator="kind")]


class Environment(Model):
    """A named place with a target and the policy for getting there."""

    target: TargetConfig = DockerTarget()
    after: Name | None = Field(None, description="the environment a release passes first")
    approval: Approval = Approval(by="nobody")
    shift: ShiftPlan = Field(as_plan("AllAtOnce"), description="preset name or plan", validate_default=True)
    watch: Watch = Watch()
    acceptance: tuple[Name, ...] = Field((), description="suites run against the environment; BASE_URL says where")
    env: dict[str, str] = {}
    secrets: dict[str, str] = Field({}, description="variable: name of the Prefect secret block that holds it")
    busy: Literal["queue", "supersede", "reject"] = Field("queue", description="while another change holds it")
    prove_backup: bool = Field(False, description="restore a backup before a release may migrate the database")
    keep_releases: int = Field(5, ge=1, le=50, description="how many can be rolled back to")

    @field_validator("shift", mode="before")
    @classmethod
    def _preset(cls, value: object) -> object:
        if isinstance(value, str):
            if value not in PRESETS:
                raise ValueError(f"unknown shift plan (found {value}); allowed: {', '.join(PRESETS)}, or a plan")
            return as_plan(value)
        return value

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
    database: Database | None = None
    suites: dict[Name, Suite] = {}
    environments: dict[Name, Environment] = Field(min_length=1)
    scan: ScanPolicy = ScanPolicy()
    parallel_builds: int = Field(2, ge=1, le=32)
    parallel_cells: int = Field(4, ge=1, le=64, description="test cells at once")

    def service_image(self, name: str) -> str:
        """Return what the service runs: a name under `images` or an image reference."""
        return self.services[name].image or name

    def routes(self) -> dict[str, str]:
        """Return path prefix → service name; a lone service with a port takes `/`."""
        named = {prefix: name for name, service in self.services.items() for prefix in service.routes}
        with_port = [name for name, service in self.services.items() if service.port]
        return named or ({"/": with_port[0]} if len(with_port) == 1 else {})

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        problems: list[str] = []

        def known(where: str, found: str, allowed: list[str]) -> None:
            if found not in allowed:
                problems.append(f"{where}: no such name (found {found}); allowed: {', '.join(allowed) or 'none'}")

        beside = [*self.services, *self.backing]
        for name, service in self.services.items():
            if service.image is None:
                known(f"services.{name}.image", name, list(self.images))
            for need in service.needs:
                known(f"services.{name}.needs", need, beside)
        for name, backing in self.backing.items():
            for need in backing.needs:
                known(f"backing.{name}.needs", need, list(self.backing))
        for name, suite in self.suites.items():
            for service_name in suite.services:
                known(f"suites.{name}.services", service_name, beside)
            if suite.database and not self.database:
                problems.append(f"suites.{name}.database: there is no `database` in the file")
        for name, environment in self.environments.items():
            if environment.after:
                known(f"environments.{name}.after", environment.after, [e for e in self.environments if e != name])
            for suite_name in environment.acceptance:
                known(f"environments.{name}.acceptance", suite_name, list(self.suites))
        for both in sorted(set(self.services) & set(self.backing)):
            problems.append(f"backing.{both}: the name is used under services already")
        if self.services and not self.routes():
            problems.append("services: several have a port; say with `routes` which paths go where")
        prefixes = [prefix for service in self.services.values() for prefix in service.routes]
        for prefix in sorted({p for p in prefixes if prefixes.count(p) > 1}):
            problems.append(f"services: the route {prefix} is given to more than one service")
        for name, service in self.services.items():
            if service.routes and not service.port:
                problems.append(f"services.{name}.port: is needed, because routes go to it")
        needs: dict[str, tuple[str, ...]] = {name: service.needs for name, service in self.services.items()}
        needs |= {name: backing.needs for name, backing in self.backing.items()}
        after: dict[str, tuple[str, ...]] = {
            name: (environment.after,) if environment.after else () for name, environment in self.environments.items()
        }
        for where, graph in (("services", needs), ("environments", after)):
            if circle := _circle(graph):
                key = "needs" if where == "services" else "after"
                problems.append(f"{where}.{circle[0]}.{key}: a circle: {' → '.join(circle)}")
        if problems:
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


def _circle(graph: dict[str, tuple[str, ...]]) -> list[str]:
    """Return one circle of `graph` with its first name repeated at the end, or nothing."""

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        for following in graph.get(name, ()):
            if found := walk(following, [*path, name]):
                return found
        return []

    for start in graph:
        if found := walk(start, []):
            return found
    return []

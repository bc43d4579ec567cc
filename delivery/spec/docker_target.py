"""What stands in headway.yaml about a Docker host as a target, and what does not fit with it."""

from collections.abc import Iterator, Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from delivery.spec.entry import Address, Certificate, Network
from delivery.spec.services import Port, Service
from delivery.spec.shift import ShiftPlan
from delivery.spec.target import TargetSettings

LEAST_HOLD_SECONDS = 1.0  # for the failed checks of a service with the usual settings, and a look at the counters
LOOK_SECONDS = 0.2


class DockerTarget(TargetSettings):
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

    def problems(
        self, before: Mapping[str, TargetSettings], shift: ShiftPlan, services: Mapping[str, Service]
    ) -> Iterator[str]:
        """Yield ports that another environment has, and steps too short for the router to see lost health."""
        yield from self._taken_ports(before)
        yield from _short_holds(shift, services)

    def image_host(self) -> str | None:
        """Return the host."""
        return self.host

    def certificates(self) -> dict[str, Certificate]:
        """Return those of `tls`."""
        return {f"tls[{number}]": one for number, one in enumerate(self.tls)}

    def _ports(self) -> dict[str, Port]:
        both = {"port": self.port, "https_port": self.https_port}
        return {key: port for key, port in both.items() if port}

    def _taken_ports(self, before: Mapping[str, TargetSettings]) -> Iterator[str]:
        beside = {name: one for name, one in before.items() if isinstance(one, DockerTarget)}
        beside = {name: one for name, one in beside.items() if (one.host, one.bind) == (self.host, self.bind)}
        for key, port in self._ports().items():
            first = next((name for name, one in beside.items() if port in one._ports().values()), None)
            if first:
                yield f"target.{key}: {port} is taken by environments.{first} already"


def _short_holds(shift: ShiftPlan, services: Mapping[str, Service]) -> Iterator[str]:
    """Yield steps that end before the router can have noticed that the new slot lost its health."""
    least = _least_hold_seconds(services)
    for step in shift.steps[:-1]:
        if step.hold_seconds < least:
            yield (
                f"shift: the step of {step.percent} percent is too short to see lost health "
                f"(found hold_seconds {step.hold_seconds:g}); allowed: at least {least:g}"
            )


def _least_hold_seconds(services: Mapping[str, Service]) -> float:
    """Return how long the router takes to find a service down that refuses or answers 5xx; late answers take longer.

    After the first failed check the next ones follow in half the interval.
    """
    checks = [service.checked for service in services.values() if service.port]
    seconds = [one.interval_seconds * (1 + (one.failures - 1) / 2) + LOOK_SECONDS for one in checks]
    return round(max([LEAST_HOLD_SECONDS, *seconds]), 2)

"""Which port a service listens on, from what its Compose file, its Dockerfile and its command say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from delivery.discovery.compose_services import ComposeService
from delivery.discovery.dockerfiles import ODD_PORTS, as_port, environment, exposed_port, started_as
from delivery.discovery.images import ImageDraft
from delivery.discovery.packages import depends_on
from delivery.discovery.roles import image_name

_ARGUMENT = re.compile(
    r"(?:--?(?:port|p|bind|b|listen|http-port|server\.port)[= ]+|0\.0\.0\.0:|\[::\]:)[^\s:]*?:?(\d{2,5})\b"
)
# What programs listen on when nobody tells them.
_PROGRAMS = (
    (re.compile(r"\b(uvicorn|gunicorn|hypercorn|daphne|granian|runserver|fastapi\s+run)\b"), 8000),
    (re.compile(r"\bflask\b.*\brun\b"), 5000),
    (re.compile(r"\b(next\s+start|remix-serve|serve\s+-s|rails\s+s(erver)?|puma|nuxt\s+start)\b"), 3000),
    (re.compile(r"\bstreamlit\b"), 8501),
    (re.compile(r"\bphx\.server\b"), 4000),
)
_BASES = {"nginx": 80, "httpd": 80, "caddy": 80, "nginx-unprivileged": 8080, "tomcat": 8080, "openresty": 80}


@dataclass(frozen=True)
class PortGuess:
    """A port and where it was seen."""

    port: int
    why: str


def guess_port(
    image: ImageDraft, service: ComposeService | None, shares: bool, variables: Mapping[str, str], where: str
) -> PortGuess | None:
    """Return the port a service listens on, or none for a worker.

    `shares`: another service runs the same image, so what the image exposes may be meant for that one.
    """
    if service and (named := [port for port in service.ports if port not in ODD_PORTS] or list(service.ports)):
        return PortGuess(named[0], f"{where} says")
    if service and shares and service.command is not None:
        return None
    if port := exposed_port(image.instructions):
        return PortGuess(port, f"{image.path.name} exposes")
    if service and service.command is not None and _is_worker(service.words):
        return None
    words = " ".join(_command(image, service))
    if port := as_port(variables.get("PORT", environment(image.instructions).get("PORT", ""))):
        return PortGuess(port, "PORT says")
    if match := _ARGUMENT.search(words):
        port = as_port(match[1])
        return PortGuess(port, "its command says") if port else None
    for like, port in _PROGRAMS:
        if like.search(words):
            return PortGuess(port, "its program listens on by itself")
    base = image_name(image.file.base(image.stage)) if image.stage else ""
    if base in _BASES and (service is None or service.command is None):
        return PortGuess(_BASES[base], f"{base} listens on")
    if "java" in words and depends_on(image.project, "spring-boot-starter-web", "org.springframework.boot"):
        return PortGuess(8080, "Spring listens on by itself")
    return None


def _command(image: ImageDraft, service: ComposeService | None) -> list[str]:
    entrypoint, command = started_as(image.instructions)
    if service is None:
        return [*entrypoint, *command]
    if service.entrypoint is not None:
        return service.words
    return [*entrypoint, *(service.command if service.command is not None else command)]


def _is_worker(words: list[str]) -> bool:
    return bool(
        re.search(
            r"\b(worker|celery|beat|sidekiq|rq|dramatiq|arq|huey|consumer|scheduler|cron|queue|bull|horizon)\b",
            " ".join(words),
        )
    )

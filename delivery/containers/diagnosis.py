"""Why an instance is not ready, and what of it can be told before it starts: in words that name the key to change."""

from docker import DockerClient

from delivery.answer import Answer
from delivery.app import Service
from delivery.containers.instances import Instance
from delivery.containers.router import Router
from delivery.containers.visit import READ_SECONDS
from delivery.errors import Misconfigured

BAD_GATEWAY = 502


def why_not_ready(router: Router, instance: Instance) -> str:
    """Say what the instance answers instead of being ready, or nothing when that cannot be told."""
    if not instance.file.port:
        return ""
    visitor = router.visitor(instance.service, instance.server)
    try:
        return _explain(instance, visitor.get(instance.file.health or "/"))
    finally:
        visitor.close()


def check_exposed(client: DockerClient, image: str, name: str, service: Service) -> None:
    """Return when the image says nothing about its ports or names the service's; Misconfigured otherwise."""
    exposed = client.images.get(image).attrs["Config"].get("ExposedPorts") or {}
    if not service.port or not exposed or f"{service.port}/tcp" in exposed:
        return
    raise Misconfigured(
        f"headway.yaml: services.{name}.port",
        f"{service.port}, which the image does not expose",
        ", ".join(sorted(exposed)),
        f"correct the port, or add EXPOSE {service.port} to the Dockerfile when the program does listen there",
    )


def _explain(instance: Instance, answer: Answer) -> str:
    where, path = f"services.{instance.service}", instance.file.health or "/"
    if "x-headway-instance" in answer.headers:  # the router writes it into what a server answered, and nowhere else
        is_ready = not instance.file.health or 200 <= answer.status < 300
        return "" if is_ready else f"GET {path} answers {answer.status}; allowed: 200 to 299 ({where}.health)"
    if answer.timed_out:
        return f"GET {path} is not answered within {READ_SECONDS:g} s ({where}.health)"
    if answer.status == BAD_GATEWAY:
        return f"what listens on port {instance.file.port} ends the connection without an answer ({where}.port)"
    if answer.status:
        return f"nothing answers on port {instance.file.port} of its network address ({where}.port)"
    return ""

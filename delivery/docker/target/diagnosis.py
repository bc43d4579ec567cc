"""Why an instance is not ready, and what of it can be told before it starts: in words that name the key to change."""

from docker import DockerClient

from delivery.docker.target.instances import Instance
from delivery.docker.target.questions import FirstQuestions, first_path, is_well
from delivery.docker.target.router import Router
from delivery.errors import Misconfigured
from delivery.spec.answer import Answer
from delivery.spec.services import Service

BAD_GATEWAY, GATEWAY_TIMEOUT = 502, 504
OF_ANOTHER_NAME = (400, 403, 404, 421)  # what applications answer to a Host they do not know


def why_not_ready(router: Router, instance: Instance, questions: FirstQuestions) -> str:
    """Say what the instance answers instead of being ready, or nothing when that cannot be told."""
    if not instance.file.port:
        return _of_the_image(instance)
    answer = questions.last(instance)
    asked = f"GET {first_path(instance, (instance.service,)) or '/'} (Host: {instance.file.host})"
    if answer and answer.timed_out:  # the router's own limit is shorter, and says more
        return _of_the_router(router, instance, asked) or _explain(instance, asked, answer)
    if answer and not is_well(instance.file.checked, answer):
        return _explain(instance, asked, answer)
    return _of_the_router(router, instance, asked)


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


def _explain(instance: Instance, asked: str, answer: Answer) -> str:
    where, named = f"services.{instance.service}", instance.file.checked.path is not None
    if "x-headway-instance" in answer.headers:
        allowed = "200 to 299" if named else "anything below 500, for no path is given"
        moved = f" (Location: {answer.headers['location']})" if "location" in answer.headers else ""
        hint = f"; set {where}.health.host to a name the application answers to"
        hint = hint if answer.status in OF_ANOTHER_NAME else ""
        return f"{asked} answers {answer.status}{moved}; allowed: {allowed} ({where}.health{hint})"
    if answer.timed_out or answer.status == GATEWAY_TIMEOUT:
        return f"{asked} is not answered in all that time ({where}.start_seconds)"
    if answer.status == BAD_GATEWAY:
        return f"what listens on port {instance.file.port} ends the connection without an answer ({where}.port)"
    if answer.status:
        return f"nothing answers on port {instance.file.port} of its network address ({where}.port)"
    return ""


def _of_the_router(router: Router, instance: Instance, asked: str) -> str:
    """Say what the router's own checks find wrong; they have a limit of their own."""
    own = (instance.service, instance.server)
    found = [one for one in router.stat() if (one.service, one.server) == own and not one.is_up]
    check, where = next((one.check for one in found), ""), f"services.{instance.service}"
    if check.startswith("L7TOUT"):
        limit = instance.file.checked.timeout_seconds
        return f"{asked} is not answered within {limit:g} s ({where}.health.timeout_seconds)"
    if check.startswith(("L4", "SOCKERR")):
        return f"nothing answers on port {instance.file.port} of its network address ({where}.port)"
    return f"the router's check of it ends with {check} ({where}.health)" if check else ""


def _of_the_image(instance: Instance) -> str:
    """Say what the HEALTHCHECK of its image found last."""
    health = instance.container.attrs["State"].get("Health") or {}
    if health.get("Status", "healthy") == "healthy":
        return ""
    last = (health.get("Log") or [{}])[-1]
    said = str(last.get("Output", "")).strip().splitlines()
    found = f", exit code {last['ExitCode']}: {' '.join(said[-1:])[:200]}" if "ExitCode" in last else ""
    key = f"services.{instance.service}.health"
    return f"the HEALTHCHECK of its image is {health['Status']}{found} (`{key}: none` switches it off)"

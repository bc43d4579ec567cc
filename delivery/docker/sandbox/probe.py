"""Waiting for containers to be ready, asked from inside their network: their addresses may be out of reach here."""

import math
from collections.abc import Callable
from functools import partial

from docker.models.containers import Container

from delivery.docker.engine.limits import out_of_memory
from delivery.docker.images.bases import resolve_base
from delivery.docker.sandbox.sandbox import STOPPED, Sandbox
from delivery.errors import Rejected
from delivery.spec.services import Backing, Service
from delivery.waiting import until

PROBE_IMAGE = "busybox:1.36"
BETWEEN_SECONDS = 0.1
LOG_LINES = 15


def start_probe(sandbox: Sandbox) -> Container:
    """Start the container that asks the others on the sandbox's network."""
    image = resolve_base(PROBE_IMAGE, home=sandbox.home, host=sandbox.host).used  # Headway's, whatever the file says
    return sandbox.start("probe", image, ["sleep", "2147483647"])


def wait_for_part(probe: Container, container: Container, name: str, part: Service | Backing) -> None:
    """Return when the service answers as it promised: its health path, else its port, else the image's own check.

    Raises Rejected with the end of its log when it stops or takes longer than it may.
    """
    where = f"{'services' if isinstance(part, Service) else 'backing'}.{name}"
    why = partial(out_of_memory, container, where, part)
    health = part.checked if isinstance(part, Service) else None
    seconds = part.start_seconds if isinstance(part, Service) else 60
    if isinstance(part, Service) and health and health.path:
        # `timeout` because busybox's own -T option makes some builds crash
        argv = ["timeout", str(math.ceil(health.timeout_seconds)), "wget", "-q", "-O", "/dev/null"]
        # Beside a suite it is reached by its own name, unless it answers only to another.
        argv += ["--header", f"Host: {part.host}"] if health.host or part.hosts else []
        argv += [f"http://{name}:{part.port or 80}{health.path}"]
        wait_until(lambda: _runs(probe, *argv), container, seconds, why)
    elif part.port:
        port = str(part.port)
        wait_until(lambda: _runs(probe, "nc", "-w", "2", name, port, "-e", "true"), container, seconds, why)
    else:
        wait_until(lambda: _says_healthy(container), container, seconds, why)


def wait_until(
    ready: Callable[[], bool], container: Container, seconds: float, why: Callable[[], str] = lambda: ""
) -> None:
    """Return when `ready`; Rejected, with the end of its log, when `container` stops or `seconds` are over."""

    def has_stopped() -> bool:
        container.reload()
        return container.status in STOPPED

    if until(ready, seconds=seconds, every=BETWEEN_SECONDS, unless=has_stopped):
        return
    stopped = container.status in STOPPED
    how = f"stopped with exit code {container.attrs['State']['ExitCode']}{why()}" if stopped else "is not ready"
    log = container.logs(tail=LOG_LINES).decode(errors="replace").rstrip()
    raise Rejected(f"{container.name} {how} (allowed: {seconds:g} s); the end of its log:\n{log}")


def _runs(container: Container, *argv: str) -> bool:
    return bool(container.exec_run(list(argv)).exit_code == 0)


def _says_healthy(container: Container) -> bool:
    container.reload()
    state = container.attrs["State"]
    return bool(state["Running"]) and state.get("Health", {}).get("Status", "healthy") == "healthy"

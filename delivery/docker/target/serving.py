"""Proof that instances are well and serve the release they should: asked one by one, through the router."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from docker import DockerClient
from docker.errors import ImageNotFound, NotFound

from delivery.docker.engine.limits import KILLED
from delivery.docker.images.carrying import carried_digests
from delivery.docker.target.diagnosis import why_not_ready
from delivery.docker.target.http_probe import HttpProbe
from delivery.docker.target.instances import Instance, routes_of
from delivery.docker.target.questions import FirstQuestions, Key
from delivery.docker.target.router import Router
from delivery.docker.target.router_runtime import Runtime
from delivery.errors import Rejected, ReleaseUnhealthy, Transient
from delivery.ports.slots import Colour
from delivery.spec.answer import Answer
from delivery.traffic.served import as_version, routed_to, version_problem

BETWEEN_SECONDS = 0.1
ASKED_IN_A_ROW = 5
AGREE_SECONDS = 5.0
SETTLE_SECONDS = 1.0  # a worker that answers nobody must at least run this long
Ask = Callable[[Instance, str], Answer]


@contextmanager
def asking(router: Router) -> Iterator[Ask]:
    """Yield a way to GET a path from any instance, through the router, over one connection."""
    with closing(router.prober()) as http_probe:

        def ask(instance: Instance, path: str) -> Answer:
            http_probe.service, http_probe.instance, http_probe.host = (
                instance.service,
                instance.server,
                instance.file.host,
            )
            return http_probe.get(path)

        yield ask


def wait_until_healthy(
    router: Router,
    instances: Sequence[Instance],
    started: float,
    given_up: Callable[[], bool],
    routed: Collection[str] = (),
) -> None:
    """Return when all are healthy; ReleaseUnhealthy, with the end of a log, when one is not in its service's time.

    Of the services in `routed` users ask something: so does Headway, whether or not they name a path for it.
    Raises Rejected when nobody wants them any more, as `given_up` says.
    """
    waiting = list(instances)
    with closing(Runtime(router)) as runtime, closing(FirstQuestions(router, routed)) as questions:
        while waiting:
            up = _up(runtime, waiting)
            waiting = [one for one in waiting if not _is_ready(questions, one, up, started)]
            for instance in waiting:
                if time.monotonic() - started > instance.file.start_seconds:
                    why = why_not_ready(router, instance, questions)
                    limit = f"{instance.file.start_seconds} s{why and f': {why}'}"
                    raise unhealthy(instance, f"was not healthy within {limit}")
            if waiting and given_up():
                raise Rejected(f"{waiting[0].service} was not healthy yet when the release was given up")
            if waiting:
                time.sleep(BETWEEN_SECONDS)


def _up(runtime: Runtime, waiting: Sequence[Instance]) -> dict[Key, bool]:
    """Return service and server of what the router reaches, and whether its checks pass; nothing while it is silent.

    One that was not checked yet is up to the router: so it does not count.
    """
    try:
        found = {(stat.service, stat.server): stat for stat in runtime.stat()}
    except Transient:
        return {}
    if any(one.file.port and (one.service, one.server) not in found for one in waiting):
        runtime.close()  # of a process that a reload has replaced: the next look opens another
    return {server: stat.is_up for server, stat in found.items() if stat.check.startswith(("L4OK", "L7"))}


def _is_ready(questions: FirstQuestions, instance: Instance, up: Mapping[Key, bool], started: float) -> bool:
    instance.container.reload()
    if instance.restarts or not instance.container.attrs["State"]["Running"]:
        code = instance.container.attrs["State"]["ExitCode"]
        if why := instance.out_of_memory():
            raise unhealthy(instance, f"ended with exit code {KILLED}{why}")
        raise unhealthy(instance, f"ended with exit code {code}" if not instance.restarts else "ends again and again")
    if not instance.file.port:
        return instance.is_healthy and time.monotonic() - started >= SETTLE_SECONDS
    key = (instance.service, instance.server)
    return key in up and questions.passed(instance, started + instance.file.start_seconds) and up[key]


def fault_of(instances: Sequence[Instance]) -> str:
    """Say which instance the engine finds dead, restarted or unhealthy, or nothing."""
    for instance in instances:
        try:
            instance.container.reload()
        except NotFound:
            return f"{instance.container.name} was removed"
        if not instance.is_running or instance.restarts:
            state = instance.container.attrs["State"]
            how = "was started again" if instance.restarts else f"is {state['Status']}"
            how += instance.out_of_memory()
            return f"{instance.container.name} {how}; the end of its log:\n{instance.last_lines()}"
    return ""


def check_served(client: DockerClient, router: Router, instances: Sequence[Instance]) -> dict[str, str | None]:
    """Return container name → served digest, after each instance proved to be the release's.

    Raises ReleaseUnhealthy when the engine runs, or the version path tells, another digest or revision.
    """
    served: dict[str, str | None] = {}
    with asking(router) as ask:
        for instance in instances:
            if instance.digest and runtime_digest(client, instance) != instance.digest:
                raise unhealthy(instance, f"runs {runtime_digest(client, instance)}, not {instance.digest}")
            served[str(instance.container.name)] = _check_version(ask, instance)
    return served


def check_public(router: Router, instances: Sequence[Instance], shares: Mapping[Colour, int]) -> None:
    """Return when users who ask for a version are told that of a slot which gets traffic, several times in a row.

    Raises ReleaseUnhealthy when they are still told another one after a while.
    """
    routes = routes_of(instances, shares)
    own = [one for one in instances if shares[one.colour] > 0 and one.file.version and one.digest]
    http_probe = router.http_probe()
    try:
        for path, service in sorted({(str(one.file.version), one.service) for one in own}):
            host = next((way.partition("/")[0] for way, name in routes.items() if name == service), "")
            if routed_to(path, routes, host) == service:
                allowed = {one.digest for one in own if one.service == service}
                http_probe.host = next(one.file.public_host for one in own if one.service == service)
                _agree(http_probe, path, service, allowed)
    finally:
        http_probe.close()


def _agree(http_probe: HttpProbe, path: str, service: str, allowed: set[str]) -> None:
    agreed, told, deadline = 0, "", time.monotonic() + AGREE_SECONDS
    while agreed < ASKED_IN_A_ROW:
        answer = as_version(http_probe.get(path))
        told = answer.get("digest", "")
        if "digest" not in answer and "revision" in answer:
            return  # it tells revisions alone: the instances were asked for theirs
        agreed = agreed + 1 if told in allowed else 0
        if not agreed and time.monotonic() > deadline:
            expected = " or ".join(sorted(allowed))
            raise ReleaseUnhealthy(f"users of {service} are served {told or 'no version'} at {path}, not {expected}")


def runtime_digest(client: DockerClient, instance: Instance) -> str | None:
    """Return the digest of the image the engine runs, or none when it has no digest."""
    try:
        image = client.images.get(instance.container.attrs["Image"])
    except ImageNotFound:
        return None
    digests = [name.partition("@")[2] for name in image.attrs.get("RepoDigests") or []] + carried_digests(image)
    return instance.digest if instance.digest in digests else next(iter(digests), None)


def served_version(ask: Ask, instance: Instance) -> dict[str, str]:
    """Return what the instance's version path tells; empty when it has none or does not answer with JSON."""
    if not instance.file.version or not instance.file.port:
        return {}
    return as_version(ask(instance, instance.file.version))


def unhealthy(instance: Instance, problem: str) -> ReleaseUnhealthy:
    """Return the error that says what is wrong with an instance, with the end of its log."""
    return ReleaseUnhealthy(
        f"{instance.service} {instance.number} of release {instance.release.fingerprint} {problem}; "
        f"the end of its log:\n{instance.last_lines()}"
    )


def _check_version(ask: Ask, instance: Instance) -> str | None:
    if not instance.file.version or not instance.file.port:
        return None
    told = served_version(ask, instance)
    revision = instance.release.revision.sha
    if problem := version_problem(told, instance.file.version, digest=instance.digest, revision=revision):
        raise unhealthy(instance, problem)
    return told.get("digest")

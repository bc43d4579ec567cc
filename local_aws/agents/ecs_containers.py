"""The containers of a task on Docker: what they are called, how they are made, what they are now."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.models.images import Image
from moto.core.models import DEFAULT_ACCOUNT_ID

from delivery.changes.ledger import LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.engine.client import connect
from delivery.docker.engine.limits import KILLED, ran_out_of_memory
from delivery.docker.engine.logs import log_config
from delivery.docker.engine.packing import packed
from delivery.docker.engine.paths import moment_seconds
from delivery.docker.images.bases import resolve_base
from local_aws.agents.ecs_order import OUT_OF_MEMORY, Phase, State
from local_aws.agents.gateway import FILE, configuration
from local_aws.agents.images import digest_of
from local_aws.installation import current
from local_aws.network import ensure_network
from local_aws.own_client import own_client
from local_aws.services.ecs_tasks import PAUSE, Task

ROLE = "aws-task"
LABEL_TASK, LABEL_CONTAINER, LABEL_DIGEST = "headway.aws.task", "headway.aws.container", "headway.aws.digest"
PAUSE_IMAGE = "haproxy:2.6"
MIB, SECOND = 1024 * 1024, 1_000_000_000
LEAST_SHARES = 2
AT_ONCE, STOP_SECONDS = 4, 2
GONE = State("stopped", reason="CannotInspectContainerError: No such container")
Definition = Mapping[str, Any]


def labels(task_arn: str, name: str = "") -> dict[str, str]:
    """Return what everything of a task carries."""
    found = {LABEL_PLATFORM: current().home.identity, LABEL_ROLE: ROLE, LABEL_TASK: task_arn}
    return {**found, LABEL_CONTAINER: name} if name else found


def find_containers(task_arn: str) -> dict[str, Container]:
    """Return the containers that there are of a task, by the name of each in its definition."""
    wanted: dict[str, str | list[str] | bool] = {"label": [f"{key}={value}" for key, value in labels(task_arn).items()]}
    found = connect().containers.list(all=True, filters=wanted, ignore_removed=True)
    return {one.labels[LABEL_CONTAINER]: one for one in found}


def address_of(pause: Container) -> str:
    """Return where a task is reached, from this machine as well."""
    pause.reload()
    return str(pause.attrs["NetworkSettings"]["Networks"][ensure_network(current().home)]["IPAddress"])


def create_pause(task: Task, gateway: str) -> Container:
    """Create what holds a task's network."""
    client, home = connect(), current().home
    pause = client.containers.create(
        resolve_base(PAUSE_IMAGE, home=home).used,
        ["haproxy", "-db", "-f", FILE],
        name=_name(task, "pause"),
        labels=labels(task.task_arn, PAUSE),
        network=ensure_network(home),
        use_config_proxy=False,
    )
    folder, _, name = FILE.rpartition("/")
    pause.put_archive(folder, packed(name, configuration(gateway).encode()))
    return pause


def create_container(
    task: Task, definition: Definition, image: Image, secrets: Mapping[str, str], pause: Container
) -> Container:
    """Create, but do not start, a container; the values of its secrets are in its environment alone."""
    environment = {**own_variables(task), **_variables(definition), **secrets}
    told = {**labels(task.task_arn, definition["name"]), LABEL_DIGEST: digest_of(image, definition["image"])}
    return connect().containers.create(
        image,
        definition.get("command"),
        name=_name(task, definition["name"]),
        entrypoint=definition.get("entryPoint"),
        labels={**definition.get("dockerLabels", {}), **told},
        environment=environment,
        network_mode=f"container:{pause.id}",
        volumes=_volumes(task, definition),
        log_config=log_config(),
        use_config_proxy=False,
        **_limits(definition, task),
        **_options(definition),
    )


def own_variables(task: Task) -> dict[str, str]:
    """Return what leads a task to this local AWS, as its role, unless its definition says otherwise."""
    return {
        "AWS_ENDPOINT_URL": current().url,
        "AWS_REGION": task.region,
        "AWS_DEFAULT_REGION": task.region,
        **_keys(task),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
    }


def state_of(container: Container) -> State:
    """Return what there is of a container, which may be gone."""
    try:
        container.reload()
    except NotFound:
        return GONE
    found = container.attrs["State"]
    health = str((found.get("Health") or {}).get("Status", "")).upper()
    told: dict[str, Any] = {
        "health": health if health in ("HEALTHY", "UNHEALTHY") else "UNKNOWN",
        "runtime_id": str(container.id),
    }
    if found["Status"] == "created":
        if found.get("Error"):
            return State("stopped", reason=f"CannotStartContainerError: Error response from daemon: {found['Error']}")
        return State("created", **told)
    if found["Status"] in ("running", "restarting", "paused"):
        return State("running", age_seconds=time.time() - moment_seconds(found["StartedAt"]), **told)
    code = int(found["ExitCode"])
    if code != KILLED or not ran_out_of_memory(container):
        return State("stopped", exit_code=code, **told)
    return State("stopped", exit_code=code, reason=OUT_OF_MEMORY, **told)


def signal(container: Container, name: str | None = None) -> None:
    """Send a container the signal by which its image says that it ends, or the one that is named."""
    with suppress(APIError):  # it ended in this moment
        container.kill(signal=name or container.attrs["Config"].get("StopSignal") or "SIGTERM")


def remove_all(task_arn: str) -> None:
    """Remove the containers of a task, and its volumes."""
    found = find_containers(task_arn)
    for container in sorted(found.values(), key=lambda one: one.labels[LABEL_CONTAINER] == PAUSE):
        try:
            container.remove(force=True, v=True)
        except NotFound:
            continue
    for volume in connect().volumes.list(filters={"label": f"{LABEL_TASK}={task_arn}"}):
        volume.remove(force=True)


def stop_all() -> None:
    """Stop the containers of all tasks, which stay to be told of."""
    ours = [f"{LABEL_PLATFORM}={current().home.identity}", f"{LABEL_ROLE}={ROLE}"]
    wanted: dict[str, str | list[str] | bool] = {"label": ours}
    running = connect(patience_seconds=0).containers.list(filters=wanted, ignore_removed=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(_stop, running))


def _stop(container: Container) -> None:
    with suppress(APIError):  # it ended in this moment
        container.stop(timeout=STOP_SECONDS)


def _name(task: Task, what: str) -> str:
    return current().name(f"task-{task.id}-{what}")


def _keys(task: Task) -> dict[str, str]:
    """Return keys of the role that a task has, or of its account; what it asks with them is asked as that."""
    role = task.told["overrides"].get("taskRoleArn") or getattr(task.definition, "task_role_arn", None)
    if not role and task.account == DEFAULT_ACCOUNT_ID:
        return {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    # "The short name or full Amazon Resource Name (ARN) of the IAM role that grants containers in the task permission
    # to call AWS APIs": https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
    arn = role if role and role.startswith("arn:") else f"arn:aws:iam::{task.account}:role/{role or 'task'}"
    asked = {"RoleArn": arn, "RoleSessionName": task.id}
    keys = own_client("sts", task.account, task.region).assume_role(**asked)["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


def _variables(definition: Definition) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in definition.get("environment", [])}


def _volumes(task: Task, definition: Definition) -> list[str]:
    """Return where the volumes of the task are mounted: each is one that the engine keeps as long as the task is there.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
    """
    mounted = []
    for one in definition.get("mountPoints", []):
        volume = _name(task, f"volume-{one['sourceVolume']}")
        connect().volumes.create(volume, labels=labels(task.task_arn))
        mounted.append(f"{volume}:{one['containerPath']}:{'ro' if one.get('readOnly') else 'rw'}")
    return mounted


def _limits(definition: Definition, task: Task) -> dict[str, Any]:
    """Return how much memory it may use, all of the task's where it says nothing, and its share of the processors."""
    memory = definition.get("memory") or int(task.told.get("memory") or 0)
    limits: dict[str, Any] = {"cpu_shares": max(LEAST_SHARES, definition.get("cpu") or 0)}
    if memory:
        limits |= {"mem_limit": memory * MIB, "memswap_limit": memory * MIB}
    if reserved := definition.get("memoryReservation"):
        limits["mem_reservation"] = reserved * MIB
    return limits


def _options(definition: Definition) -> dict[str, Any]:
    """Return the engine's options for what a definition says of its process."""
    linux = definition.get("linuxParameters") or {}
    return {
        "user": definition.get("user"),
        "working_dir": definition.get("workingDirectory"),
        "read_only": bool(definition.get("readonlyRootFilesystem")),
        "privileged": bool(definition.get("privileged")),
        "stdin_open": bool(definition.get("interactive")),
        "init": linux.get("initProcessEnabled"),
        "healthcheck": _health_check(definition.get("healthCheck")),
    }


def _health_check(given: Definition | None) -> dict[str, Any]:
    """Return the check of the definition alone: "The Amazon ECS container agent only monitors and reports on the health
    checks specified in the task definition", with the defaults of
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html.
    """
    if not given:
        return {"test": ["NONE"]}
    return {
        "test": list(given["command"]),
        "interval": given.get("interval", 30) * SECOND,
        "timeout": given.get("timeout", 5) * SECOND,
        "retries": given.get("retries", 3),
        "start_period": given.get("startPeriod", 0) * SECOND,
    }


def phase_in_words(phase: Phase) -> str:
    """Return what the API calls it."""
    return {"created": "PENDING", "running": "RUNNING", "stopped": "STOPPED"}[phase]

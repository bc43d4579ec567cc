"""What a task is to ECS: a job's has its program, and what carries its files out when it leaves some.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from delivery.errors import Misconfigured
from delivery.globs import Glob
from delivery.ports.jobs import REPORTS, Job
from delivery.spec.fargate import FARGATE, TaskSize

PROGRAM, PREPARE, COURIER = "program", "prepare", "courier"
UPLOAD_VARIABLE = "HEADWAY_UPLOAD"
STOP_SECONDS = 5  # of a program that is given up: from SIGTERM to SIGKILL
# Volumes of Fargate belong to root and nobody else may write there:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
_PREPARE = "import os, sys\nfor path in sys.argv[1:]: os.chmod(path, 0o1777)"
_COURIER = f"""
import os, sys, tarfile, tempfile, urllib.request
with tempfile.TemporaryFile() as file:
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for path in sys.argv[1:]: archive.add(path, arcname=path)
    size = file.tell()
    file.seek(0)
    asked = urllib.request.Request(os.environ["{UPLOAD_VARIABLE}"], data=file, method="PUT")
    asked.add_header("Content-Length", str(size))
    asked.add_header("Content-Type", "application/gzip")
    urllib.request.urlopen(asked, timeout=300).close()
"""


@dataclass(frozen=True)
class TaskSettings:
    """What tasks of an environment run with, whatever they run.

    `execution_role` is whom ECS pulls images and reads secrets as, `task_role` whom the program is to AWS. `cpu` is in
    units of 1/1024 of a core, `memory` in MiB. `courier_image` has Python; it carries files out of a task.
    """

    cluster: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    execution_role: str
    log_group: str
    bucket: str
    task_role: str | None = None
    cpu: int = 256
    memory: int = 512
    public_address: bool = False
    courier_image: str = "public.ecr.aws/docker/library/python:3.11-alpine"


def check_size(cpu: int, memory: int, where: str) -> None:
    """Return when Fargate has tasks of that size; Misconfigured with what it has otherwise."""
    if cpu not in FARGATE:
        raise Misconfigured(f"{where}.cpu", f"{cpu} units, which Fargate does not have", ", ".join(map(str, FARGATE)))
    if memory not in FARGATE[cpu]:
        sizes = FARGATE[cpu]
        raise Misconfigured(
            f"{where}.memory", f"{memory} MiB, which Fargate does not have with {cpu} units of CPU", _shown(sizes)
        )


def job_definition(
    job: Job,
    settings: TaskSettings,
    *,
    family: str,
    region: str,
    references: Mapping[str, str],
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """Return what RegisterTaskDefinition takes for a job; `references` has variable → `valueFrom` of its secrets."""
    folders = report_folders(job.reports)
    containers = [_program(job, references, folders)]
    if folders:
        containers += _carriers(settings.courier_image, references[UPLOAD_VARIABLE], folders)
    size, volumes = TaskSize(settings.cpu, settings.memory), [{"name": _volume(path)} for path in folders]
    return task_definition(
        containers, settings, size=size, family=family, region=region, log_prefix=job.run, tags=tags, volumes=volumes
    )


def task_definition(
    containers: Sequence[Mapping[str, Any]],
    settings: TaskSettings,
    *,
    size: TaskSize,
    family: str,
    region: str,
    log_prefix: str,
    tags: Mapping[str, str],
    volumes: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """Return what RegisterTaskDefinition takes for a task of Fargate whose containers write into the log group."""
    logs = {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": settings.log_group,
            "awslogs-region": region,
            "awslogs-stream-prefix": log_prefix,
        },
    }
    return {
        "family": family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": str(size.cpu),
        "memory": str(size.memory),
        "executionRoleArn": settings.execution_role,
        **({"taskRoleArn": settings.task_role} if settings.task_role else {}),
        "volumes": list(volumes),
        "containerDefinitions": [{**container, "logConfiguration": logs} for container in containers],
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }


def _program(job: Job, references: Mapping[str, str], folders: Sequence[str]) -> dict[str, Any]:
    """Return the program's container.

    It is essential only when nothing is to be carried out: nobody can wait for the end of an essential container
    (`COMPLETE`).
    """
    secrets = {name: reference for name, reference in references.items() if name != UPLOAD_VARIABLE}
    found: dict[str, Any] = {
        "name": PROGRAM,
        "image": job.image,
        "essential": not folders,
        "stopTimeout": STOP_SECONDS,
        "environment": pairs({name: value for name, value in job.env.items() if name not in references}, "value"),
        "secrets": pairs(secrets, "valueFrom"),
    }
    if job.command is not None:
        found["command"] = list(job.command)
    if job.entrypoint is not None:
        found["entryPoint"] = list(job.entrypoint)
    if job.shm_bytes:
        found["linuxParameters"] = {"sharedMemorySize": job.shm_bytes // 2**20}
    if folders:
        found["mountPoints"] = _mounts(folders)
        found["dependsOn"] = [{"containerName": PREPARE, "condition": "SUCCESS"}]
    return found


def _carriers(image: str, upload: str, folders: Sequence[str]) -> list[dict[str, Any]]:
    """Return what makes the shared folders writable before the program, and what carries them out after it."""
    beside = {"image": image, "mountPoints": _mounts(folders)}
    return [
        {**beside, "name": PREPARE, "essential": False, "command": ["python3", "-c", _PREPARE, *folders]},
        {
            **beside,
            "name": COURIER,
            "essential": True,
            "command": ["python3", "-c", _COURIER, *folders],
            "secrets": pairs({UPLOAD_VARIABLE: upload}, "valueFrom"),
            "dependsOn": [{"containerName": PROGRAM, "condition": "COMPLETE"}],
        },
    ]


def report_folders(patterns: Iterable[str]) -> list[str]:
    """Return the folders that hold what the globs name: each is a volume that program and courier share.

    Raises Misconfigured for a glob without a folder of its own: a volume would hide what the image has there.
    """
    folders = []
    for pattern in patterns:
        start = Glob(PurePosixPath(pattern)).start
        folder = start.parent if str(start) == pattern else start
        if not folder.is_absolute() or str(folder) == "/":
            raise Misconfigured(
                f"report {pattern}", "is in no folder of its own", f"an absolute path, as {REPORTS}/*.xml"
            )
        folders.append(folder)
    return [str(one) for one in sorted(set(folders)) if not any(other in one.parents for other in folders)]


def _mounts(folders: Sequence[str]) -> list[dict[str, str]]:
    return [{"sourceVolume": _volume(path), "containerPath": path} for path in folders]


def _volume(path: str) -> str:
    return "files" + path.replace("/", "-")


def pairs(values: Mapping[str, str], name: str) -> list[dict[str, str]]:
    """Return variables as container definitions have them, each with `value` or `valueFrom`."""
    return [{"name": variable, name: value} for variable, value in values.items()]


def _shown(sizes: tuple[int, ...]) -> str:
    if len(sizes) <= 3:
        return ", ".join(map(str, sizes))
    return f"{sizes[0]} to {sizes[-1]} in steps of {sizes[1] - sizes[0]}"

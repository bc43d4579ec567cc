"""The stacks that Headway brings: their files, and the variables whose values it knows by itself."""

import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delivery.package_data import package_data
from delivery.spec.app import App
from delivery.spec.ecs_target import EcsTarget
from delivery.spec.fargate import smallest_task
from delivery.spec.infrastructure import Infrastructure
from delivery.spec.parts import memory_bytes

SHARED = "aws/shared"
LEAST_KEPT_MINUTES = 60  # longer than a train of services, its watch and one recovery
PLACEHOLDER = "public.ecr.aws/docker/library/busybox:stable"  # of services that want no task before the first release


def lay_out(stack: str, folder: Path) -> Path:
    """Copy a stack of Headway's with its modules into `folder`, where Terraform may write; return where it lies."""
    shutil.copytree(package_data("aws"), folder / "aws")
    return folder / stack


def own_variables(app: App, environment: str, said: Mapping[str, str]) -> dict[str, Any]:
    """Return what the stack `aws/environment` is told of an environment; `said` are variables that name an AWS."""
    return {"app": app.app, **_of_region(said), "services": services_of(app), **_of_deployer(app, environment)}


def _of_deployer(app: App, environment: str) -> dict[str, Any]:
    """Return who moves traffic, and for how long what it replaced is to stand there."""
    file = app.environments[environment]
    if not isinstance(file.target, EcsTarget) or file.target.deployer != "codedeploy":
        return {}
    kept_minutes = max(LEAST_KEPT_MINUTES, math.ceil(file.keep_warm_seconds / 60))
    return {"deployer": "codedeploy", "termination_wait_minutes": kept_minutes}


def own_backend(config: Infrastructure, app: str, said: Mapping[str, str]) -> dict[str, str | bool | int]:
    """Return the whole backend of a stack of Headway's, of which only the bucket has to be said."""
    where = _of_region(said)
    given: dict[str, str | bool | int] = {"key": f"{app}/environment.tfstate"}
    given |= {"region": where["region"]} if "region" in where else {}
    given |= {"use_path_style": True} if "aws_endpoint" in where else {}
    return {**given, **config.backend}


def shared_variables() -> dict[str, Any]:
    """Return what the stack `aws/shared` is told by itself."""
    return _of_region({})


def shared_backend(app: str, bucket: str) -> dict[str, str | bool | int]:
    """Return the whole backend of the stack `aws/shared`."""
    config = Infrastructure(stack="aws/environment", backend={"bucket": bucket, "key": f"{app}/shared.tfstate"})
    return own_backend(config, app, {})


def services_of(app: App) -> dict[str, dict[str, Any]]:
    """Return the services as the stack takes them: the more of a path a route says, the sooner it is looked at."""
    routes = sorted(app.routes().items(), key=lambda one: -len(one[0]))
    paths = {name: [_pattern(way) for way, service in routes if service == name] for name in app.services}
    order = list(dict.fromkeys(service for _, service in routes))
    found: dict[str, dict[str, Any]] = {}
    for name, file in app.services.items():
        size = smallest_task(file.cpus, memory_bytes(file.memory) if file.memory else None)
        one: dict[str, Any] = {"image": PLACEHOLDER, "most": max(4, file.instances)}
        if size:
            one |= {"cpu": size.cpu, "memory": size.memory}
        if file.port:
            one |= {"port": file.port, "paths": paths[name] or ["/*"], "priority": 10 * (order.index(name) + 1)}
            one |= {"health_path": file.checked.path or "/", "grace_seconds": file.start_seconds}
        found[name] = one
    return found


def _pattern(way: str) -> str:
    """Return a route as a listener rule has it: `/api` is a prefix."""
    path = "/" + way.partition("/")[2]
    return f"{path.rstrip('/')}/*" if path == "/" else f"{path}*"


def _of_region(said: Mapping[str, str]) -> dict[str, str]:
    """Return region and endpoint, where they are said."""
    known = {**os.environ, **said}
    region = known.get("AWS_REGION") or known.get("AWS_DEFAULT_REGION")
    found = {"region": region, "aws_endpoint": known.get("AWS_ENDPOINT_URL")}
    return {name: value for name, value in found.items() if value}

"""The kinds of targets in headway.yaml: one line for each."""

from typing import Annotated, Literal

from pydantic import Field

from delivery.spec.docker_target import DockerTarget
from delivery.spec.ecs_target import EcsTarget
from delivery.spec.kinds import ByKind
from delivery.spec.target import TargetSettings


class MemoryTarget(TargetSettings):
    """Releases run in this process; for trying pipelines out without Docker."""

    kind: Literal["memory"] = Field(description="said, for the default is docker")


# Each with its checks of the environment; a file without a kind means the first one.
TargetConfig = Annotated[DockerTarget | EcsTarget | MemoryTarget, ByKind(left_out="docker")]
DEFAULT = DockerTarget()

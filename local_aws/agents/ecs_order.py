"""When a container of a task may start, when it never will, and when it may be stopped: values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Definition = Mapping[str, Any]
Phase = Literal["created", "running", "stopped"]
# What Amazon's agent gives a container that never ran because of another one: as if it had got SIGTERM.
NEVER_RAN = 143
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


@dataclass(frozen=True)
class State:
    """What there is of a container; `reason` is set where it did not end by itself."""

    phase: Phase
    exit_code: int | None = None
    reason: str = ""
    health: str = "UNKNOWN"
    age_seconds: float = 0  # since it started
    runtime_id: str = ""


States = Mapping[str, State]


def may_start(definition: Definition, states: States) -> bool:
    """Whether everything that a container depends on has come about."""
    return all(_has_come(one["condition"], states[one["containerName"]]) for one in definition.get("dependsOn", []))


def never_starts(definition: Definition, states: States, definitions: Mapping[str, Definition]) -> str:
    """Return why a container that waits can wait for ever, or nothing.

    "If a startTimeout value is specified for containerB and it doesn't reach the desired status within that time then
    containerA gives up and not start."
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    """
    for one in definition.get("dependsOn", []):
        name, condition = one["containerName"], one["condition"]
        state, limit = states[name], definitions[name].get("startTimeout")
        if _has_come(condition, state):
            continue
        if state.phase == "stopped":
            return f"dependency on container '{name}' can't be resolved: {condition} was wanted, {_ended(state)}"
        if limit and state.phase == "running" and state.age_seconds > limit:
            return f"dependency on container '{name}' timed out: no {condition} within {limit} seconds"
    return ""


def to_stop_first(running: Sequence[str], definitions: Mapping[str, Definition]) -> list[str]:
    """Return those of the running containers that no other running one depends on.

    "When a dependency is defined for container startup, for container shutdown it is reversed."
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    """
    needed = {one["containerName"] for name in running for one in definitions[name].get("dependsOn", [])}
    return [name for name in running if name not in needed]


def _has_come(condition: str, state: State) -> bool:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html: the four conditions."""
    if condition == "START":
        return state.phase != "created" and state.exit_code != NEVER_RAN
    if condition == "HEALTHY":
        return state.phase == "running" and state.health == "HEALTHY"
    return (
        state.phase == "stopped" and state.exit_code is not None and (condition == "COMPLETE" or state.exit_code == 0)
    )


def _ended(state: State) -> str:
    return f"it exited with {state.exit_code}" if state.exit_code is not None else "it did not start"

"""What Terraform says of a plan, in this product's words: addresses and names, and no value."""

from collections.abc import Iterable, Mapping
from typing import Any

from delivery.releases.infrastructure import Action, Output, ResourceChange

# https://developer.hashicorp.com/terraform/internals/json-format#change-representation
_ACTIONS: Mapping[tuple[str, ...], Action] = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "destroy",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
    ("create", "forget"): "replace",
}


def changes_of(shown: Mapping[str, Any]) -> tuple[ResourceChange, ...]:
    """Return the resources that a plan changes."""
    return _changes(shown.get("resource_changes", ()))


def drift_of(shown: Mapping[str, Any]) -> tuple[ResourceChange, ...]:
    """Return the resources that are not as the state says."""
    return _changes(shown.get("resource_drift", ()))


def outputs_of(shown: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the outputs that a plan changes."""
    changes = shown.get("output_changes", {})
    return tuple(name for name, change in changes.items() if change["actions"] != ["no-op"])


def declared_outputs(shown: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of all outputs that the stack has."""
    return tuple(shown.get("configuration", {}).get("root_module", {}).get("outputs", {}))


def known_outputs(shown: Mapping[str, Any]) -> dict[str, Output]:
    """Return what the stack says of itself as far as the plan knows it: all of it when nothing changes."""
    return told_outputs(shown.get("planned_values", {}).get("outputs", {}))


def told_outputs(told: Mapping[str, Mapping[str, Any]]) -> dict[str, Output]:
    """Return the outputs that Terraform tells with a value; one that is null has none in a plan."""
    return {name: Output(name=name, sensitive=one["sensitive"], value=one.get("value")) for name, one in told.items()}


def _changes(found: Iterable[Mapping[str, Any]]) -> tuple[ResourceChange, ...]:
    return tuple(
        ResourceChange(
            address=one["address"],
            type=one["type"],
            action=action,
            attributes=_differing(one["change"]) if action in ("update", "replace") else (),
        )
        for one in found
        if one.get("mode") == "managed" and (action := _ACTIONS.get(tuple(one["change"]["actions"])))
    )


def _differing(change: Mapping[str, Any]) -> tuple[str, ...]:
    before, after, unknown = (change.get(key) or {} for key in ("before", "after", "after_unknown"))
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    return tuple(sorted(name for name in names if not unknown.get(name) or name in after))

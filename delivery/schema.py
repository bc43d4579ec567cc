"""The JSON Schema of `headway.yaml`, for editors that complete and check while one writes."""

from typing import Any

from delivery.app import App
from delivery.shift import PRESETS


def app_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the file."""
    schema = App.model_json_schema()
    definitions = schema["$defs"]
    environment = definitions["Environment"]["properties"]
    environment["shift"] = {
        "description": "preset name, or one of canary, linear, steps",
        "default": "AllAtOnce",
        "anyOf": [
            {"enum": list(PRESETS)},
            _only("canary", {"$ref": "#/$defs/Step"}),
            _only("linear", {"$ref": "#/$defs/Step"}),
            {"$ref": "#/$defs/ShiftPlan"},
        ],
    }
    # `kind` may be left out: then the target is a Docker host.
    environment["target"] = {
        "anyOf": [{"$ref": "#/$defs/DockerTarget"}, {"$ref": "#/$defs/MemoryTarget"}],
        "default": {},
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "headway.yaml"}


def _only(key: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {key: value}, "required": [key], "additionalProperties": False}

"""The JSON Schema of `headway.yaml`, for editors that complete and check while one writes."""

from typing import Any

from delivery.model import OWN_KEYS, Model
from delivery.spec.app import App
from delivery.spec.database import Database
from delivery.spec.kinds import classes_of
from delivery.spec.shift import PRESETS, Canary, Linear, ShiftPlan
from delivery.spec.targets import TargetConfig


def app_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the file."""
    schema = App.model_json_schema()
    definitions = schema["$defs"]
    definitions |= {model.__name__: _described(model) for model in (Canary, Linear)}
    environment = definitions["Environment"]["properties"]
    plans = [{"$ref": f"#/$defs/{model.__name__}"} for model in (Canary, Linear, ShiftPlan)]
    decorated = {"type": "string", "pattern": r"^(CodeDeployDefault\.)?(ECS|Lambda)(AllAtOnce$|Canary|Linear)"}
    environment["shift"] |= {"default": "AllAtOnce", "anyOf": [{"enum": list(PRESETS)}, *plans, decorated]}
    del environment["shift"]["$ref"]
    # `kind` may be left out: not as `oneOf` with a discriminator, which asks for it.
    environment["target"] = _by_kind(environment["target"], TargetConfig) | {"default": {}}
    properties = schema["properties"]
    properties["database"] = _by_kind(properties["database"], Database)
    properties["database"]["anyOf"].append({"type": "null"})
    for definition in (schema, *definitions.values()):
        if definition.get("additionalProperties") is False:
            definition["patternProperties"] = {f"^{OWN_KEYS}": {}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "headway.yaml"}


def _by_kind(written: dict[str, Any], union: Any) -> dict[str, Any]:
    classes = [{"$ref": f"#/$defs/{model.__name__}"} for model in classes_of(union).values()]
    return {"description": written["description"], "anyOf": classes}


def _described(model: type[Model]) -> dict[str, Any]:
    """Return a model's schema without the definitions, which the whole schema has already."""
    return {key: value for key, value in model.model_json_schema().items() if key != "$defs"}

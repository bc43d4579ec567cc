"""What the model of `headway.yaml` does not take, in words: key, what was found, what is allowed."""

import difflib
from collections.abc import Iterable, Mapping

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from delivery.model import FOLDER_PATTERN, HOST_AND_PORT_PATTERN, HOST_PATTERN, NAME_PATTERN, PATH_PATTERN
from delivery.spec.app import App
from delivery.spec.database import DATABASE_PATTERN, Database
from delivery.spec.kinds import classes_of
from delivery.spec.parts import MEMORY_PATTERN
from delivery.spec.shift import ShiftPlan, Step
from delivery.spec.targets import TargetConfig
from delivery.spec.yaml_text import short

_RULES = {
    NAME_PATTERN: "lower-case letters, digits, dashes, beginning with a letter, ending with no dash, at most 39",
    MEMORY_PATTERN: "a whole number with b, k, m or g, like 512m",
    FOLDER_PATTERN: "the path of a folder in the container, like /app/uploads, and not / itself",
    PATH_PATTERN: "a path that begins with /, of letters, digits and ._~/%?&=:@+,-",
    HOST_PATTERN: "a name like shop.example.com or *.example.com, in lower case",
    HOST_AND_PORT_PATTERN: "a name like shop.example.com, in lower case",
    DATABASE_PATTERN: "lower-case letters, digits, underscores, beginning with no digit",
}
# Names of a union's members, which pydantic puts into the path of a key although they are not in the file.
_TAGS = {("target", kind) for kind in classes_of(TargetConfig)} | {("database", kind) for kind in classes_of(Database)}
_TAGS |= {("files", "folder"), ("files", "folders")}
_TAGS |= {("env_file", "file"), ("env_file", "files")}
_TAGS |= {("health", "short"), ("health", "settings"), ("health", "off")}
KEYS = "keys with values"
_KINDS = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": KEYS,
    "model_type": KEYS,
    "model_attributes_type": KEYS,
    "date_from_datetime_parsing": "a date like 2030-12-31",
    "date_from_datetime_inexact": "a date like 2030-12-31",
    "date_type": "a date like 2030-12-31",
}


def worth_telling(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list is too short when its items were not taken: those are told."""
    places = [detail["loc"] for detail in details]

    def is_told_below(place: tuple[int | str, ...]) -> bool:
        return any(other[: len(place)] == place and len(other) > len(place) for other in places)

    return [one for one in details if one["type"] != "too_short" or not is_told_below(one["loc"])]


def explain(detail: ErrorDetails) -> list[str]:
    """Return one line for each mistake an error stands for: key, what was found, what is allowed."""
    location, found, context = detail["loc"], detail["input"], detail.get("ctx", {})
    place = _key(location)
    match detail["type"]:
        case "extra_forbidden":
            return [f"{place}: there is no such key; {_allowed_keys(location)}"]
        case "missing":
            return [f"{place}: is missing"]
        case "value_error":
            lines = str(context["error"]).splitlines()
            return [f"{place}: {line}" if place else line for line in lines]
        case "too_short":
            return [f"{place}: is empty; allowed: at least {context['min_length']}"]
        case "invalid_key":
            return [f"{_inside(location[:-1])}the key {found} is not text; write it in quotes"]
        case "string_type" if location[-1:] == ("[key]",):
            return [f"{_inside(location[:-2])}the key {found} is not text; write it in quotes"]
        case "string_type" if isinstance(found, int | float):
            return [f"{place}: found {short(found)}; allowed: text, which a number or true becomes in quotes"]
        case "string_type":
            return [f"{place}: found {short(found)}; allowed: text"]
        case "string_pattern_mismatch":
            rule = _RULES.get(context["pattern"], f"text like {context['pattern']}")
            return [f"{place}: found {short(found)}; allowed: {rule}"]
        case "union_tag_invalid":
            return [f"{place}.kind: found {context['tag']}; allowed: {context['expected_tags'].replace(chr(39), '')}"]
        case kind if kind in _KINDS:
            return [f"{place}: found {short(found)}; allowed: {_KINDS[kind]}{_keys_at(location, _KINDS[kind])}"]
    allowed = detail["msg"].removeprefix("Input should be ").removeprefix("String should have ").replace("'", "")
    return [f"{place}: found {short(found)}; allowed: {allowed}"]


def _inside(location: tuple[int | str, ...]) -> str:
    place = _key(location)
    return f"{place}: " if place else ""


def _key(location: Iterable[int | str]) -> str:
    """Return the path of a key as people write it: `suites.unit.axes[0]`."""
    path = ""
    before: int | str = ""
    for part in location:
        if (before, part) in _TAGS or part == "[key]":
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        before = part
    return path


def _allowed_keys(location: tuple[int | str, ...]) -> str:
    """Say which keys are allowed beside the unknown one, and which of them was probably meant."""
    model = _model_at(location[:-1])
    names = keys_of(model) if model else []
    near = meant(location)
    question = f"did you mean {near}? " if near else ""
    return f"{question}allowed: {', '.join(names)}"


def meant(location: tuple[int | str, ...]) -> str | None:
    """Return the key that was probably meant by an unknown one."""
    model = _model_at(location[:-1])
    return next(iter(difflib.get_close_matches(str(location[-1]), keys_of(model) if model else [], 1)), None)


def _keys_at(location: tuple[int | str, ...], kind: str) -> str:
    """Say which keys are allowed at a place for keys with values that has something else."""
    if kind != KEYS:
        return ""
    model = _model_at(location)
    if model is None:
        return ""
    above = _model_at(location[:-1])
    field = above.model_fields.get(str(location[-1])) if above else None
    named = field is not None and getattr(field.annotation, "__origin__", None) is dict
    return f": {'names of your own, each with ' * named}{', '.join(keys_of(model))}"


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys of a section as people write them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Return the model that describes the place `location` leads to."""
    model: type[BaseModel] | None = App
    for part in location:
        if model is None:
            return None
        if model is ShiftPlan and part in ("canary", "linear"):
            model = Step
        field = model.model_fields.get(str(part))
        if field is None:
            continue  # a name the user gave, an index, or the name of a union's member
        model = _model_in(field.annotation, location)
    return model


def _model_in(annotation: object, location: tuple[int | str, ...]) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [_model_in(part, location) for part in getattr(annotation, "__args__", ())]
    models = [one for one in found if one]
    return next((one for one in models if _tag(one) in location), models[0] if models else None)


def _tag(model: type[BaseModel]) -> str:
    kind = model.model_fields.get("kind")
    values: Mapping[int, str] = dict(enumerate(getattr(kind.annotation, "__args__", ()))) if kind else {}
    return values.get(0, "")

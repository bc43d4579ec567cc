"""Read `headway.yaml`: every mistake is told with its place, what was found, what is allowed and what to do next."""

import difflib
import os
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from delivery.counting import counted
from delivery.errors import Misconfigured
from delivery.model import FOLDER_PATTERN, HOST_AND_PORT_PATTERN, HOST_PATTERN, NAME_PATTERN, PATH_PATTERN, hash_of
from delivery.spec.app import App, environment_of, passed_before
from delivery.spec.consistency import problems_of
from delivery.spec.database import DATABASE_PATTERN
from delivery.spec.env_files import parts_with_files, with_env_files
from delivery.spec.parts import MEMORY_PATTERN, files_of
from delivery.spec.reading import read_rest
from delivery.spec.shift import ShiftPlan, Step

FILE = "headway.yaml"
NEXT_STEP = "every key is explained in docs/headway-yaml.md; `headway schema` prints the schema for editors"
MISSING_STEP = "correct the path, which is relative to headway.yaml, or commit the file"
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
_TAGS = {("target", "docker"), ("target", "memory"), ("files", "folder"), ("files", "folders")}
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


class _Loader(yaml.SafeLoader):
    """YAML as JSON knows it: a key that is given twice is a mistake, and a value that is none says where it stands."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, LookupError, AttributeError) as error:  # the 31st of February, `!!int x`
            line, value = node.start_mark.line + 1, _short(getattr(node, "value", ""))
            raise yaml.YAMLError(f"line {line}: {value} cannot be read: {_short(str(error))}") from error


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: dict[Hashable, int] = {}
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue  # what it brings may be overridden
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, Hashable):
            raise yaml.YAMLError(f"line {line}: a key must be text")
        if key in seen:
            raise yaml.YAMLError(f"line {line}: {key} is given twice, first in line {seen[key]}")
        seen[key] = line
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


class _AnyTag(yaml.SafeLoader):
    """YAML with tags of others, like Compose's `!reset`: what they mark is none here."""


_AnyTag.add_multi_constructor("!", lambda *_: None)


class Reading(NamedTuple):
    """What could be made of a file, and every mistake in it; `app` lacks the values that cannot be taken."""

    app: App | None
    mistakes: tuple[str, ...] = ()


def load_app(path: Path) -> App:
    """Return what the file and its env files say; Misconfigured, with every mistake, when it cannot be taken.

    What is in the env files stands in `env` then, so it goes wherever the application goes. One that is missing is
    left to `check_files`.
    """
    reading = read_app(path)
    if reading.mistakes or reading.app is None:
        raise told(reading.mistakes)
    return reading.app


def load_app_text(text: str, where: str = FILE) -> App:
    """Return what `text` says; Misconfigured, with every mistake in it, when it cannot be taken."""
    reading = read_text(text, where)
    if reading.mistakes or reading.app is None:
        raise told(reading.mistakes, where)
    return reading.app


def load_project(folder: Path) -> App:
    """Return what the file in `folder` says; Misconfigured with its mistakes and all files that are missing at once."""
    reading = read_app(folder / FILE)
    missing = file_problems(reading.app, folder) if reading.app else []
    if reading.app is None or reading.mistakes or missing:
        steps = [NEXT_STEP] * bool(reading.mistakes) + [MISSING_STEP] * bool(missing)
        raise told([*reading.mistakes, *missing], next_step="; ".join(steps))
    return reading.app


def read_app(path: Path) -> Reading:
    """Return what the file and its env files say and every mistake in it.

    Raises Misconfigured when there is no such file, it is no YAML, or an env file cannot be read.
    """
    reading = read_text(_text(path))
    if reading.app is None:
        return reading
    app = with_env_files(reading.app, path.parent)
    # Placeholders in the env files; where the file itself has mistakes, those of its parts are told already.
    mistakes = () if reading.mistakes else tuple(problems_of(app))
    return Reading(app, (*reading.mistakes, *mistakes))


def read_text(text: str, where: str = FILE) -> Reading:
    """Return what `text` says and every mistake in it; Misconfigured when it is no YAML, or no keys with values."""
    content = _parse(text, where)
    if not isinstance(content, dict):
        found = "is empty" if content is None else f"is not keys with values (found {_short(content)})"
        raise Misconfigured(where, found, "a file that starts with app:", "headway init")
    try:
        return Reading(App.model_validate(content))
    except ValidationError as error:
        details = _worth_telling(error.errors())
    mistakes = [line for detail in details for line in _explain(detail)]
    rest, is_whole = read_rest(content, details, _meant)
    if rest and is_whole:
        mistakes += problems_of(rest)
    app = App.model_construct(rest.model_fields_set, **dict(rest)) if rest else None
    return Reading(app, tuple(dict.fromkeys(mistakes)))


def app_name(path: Path) -> str:
    """Return the application's name, whatever else is wrong with the file; Misconfigured when it tells none."""
    content = _parse(_text(path), FILE)
    name = content.get("app") if isinstance(content, dict) else None
    if not isinstance(name, str) or not re.fullmatch(NAME_PATTERN, name):
        raise Misconfigured(str(path), "does not tell the application's name", "a file that starts with app:")
    return name


def told(mistakes: Sequence[str], where: str = FILE, next_step: str = NEXT_STEP) -> Misconfigured:
    """Return one error that tells of every mistake."""
    found = mistakes[0] if len(mistakes) == 1 else "\n  ".join([counted(len(mistakes), "mistake"), *mistakes])
    return Misconfigured(where, found, next_step=next_step)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Misconfigured(str(path), "there is no such file", next_step="headway init") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(str(path), f"cannot be read: {error}") from error


def check_files(app: App, folder: Path) -> None:
    """Return when every file that `app` names is below `folder`; Misconfigured with all that are missing.

    A Compose file must have the service that a suite names.
    """
    if problems := file_problems(app, folder):
        raise told(problems, next_step=MISSING_STEP)


def file_problems(app: App, folder: Path) -> list[str]:
    """Return a line for every file that `app` names and that is not below `folder`, or lacks what it must have."""
    return [*_missing_files(app, folder), *_unknown_compose_services(app, folder)]


def _missing_files(app: App, folder: Path) -> list[str]:
    exists = {"folder": os.path.isdir, "file": os.path.isfile}  # neither raises, whatever the path is
    missing = []
    for key, path, kind in _named_files(app):
        if os.path.isabs(path) or os.path.normpath(path).startswith(".."):
            missing.append(f"{key}: {path} is outside the folder of headway.yaml")
        elif not exists[kind](folder / path):
            missing.append(f"{key}: there is no {kind} {path}")
        elif not Path(os.path.realpath(folder / path)).is_relative_to(os.path.realpath(folder)):
            missing.append(f"{key}: {path} is a link out of the folder of headway.yaml, which is delivered alone")
    return missing


def _unknown_compose_services(app: App, folder: Path) -> list[str]:
    lines = []
    for name, suite in app.suites.items():
        services = _compose_services(folder / suite.compose) if suite.compose else ()
        if services and suite.compose_service not in services:
            found = f"there is no service {suite.compose_service} in {suite.compose}"
            lines.append(f"suites.{name}.compose_service: {found}; allowed: {', '.join(services)}")
    return lines


def configuration_hash(app: App, environment: str) -> str:
    """Return the hash of what the file says about running the application on its way to `environment`.

    Suites, scan policy and approvals are about how it gets there and not part of a release.
    """
    environment_of(app, environment)
    stops = [*passed_before(app, environment), environment]
    return hash_of(
        {
            "services": {name: service.model_dump(mode="json") for name, service in app.services.items()},
            "backing": {name: backing.model_dump(mode="json") for name, backing in app.backing.items()},
            "database": app.database.model_dump(mode="json") if app.database else None,
            "env": {name: app.environments[name].env for name in stops},
            "secrets": {name: app.environments[name].secrets for name in stops},
        }
    )


def _named_files(app: App) -> Iterable[tuple[str, str, str]]:
    """Yield key, path and kind of every file the application's file names."""
    for key, image in app.builds().items():
        yield f"{key}.context", image.context, "folder"
        yield f"{key}.dockerfile", str(PurePosixPath(image.context) / image.dockerfile), "file"
    for name, suite in app.suites.items():
        if suite.compose:
            yield f"suites.{name}.compose", suite.compose, "file"
    for key, part in parts_with_files(app).items():
        for number, path in enumerate(files_of(part.env_file)):
            yield f"{key}.env_file" if isinstance(part.env_file, str) else f"{key}.env_file[{number}]", path, "file"
    migrate = app.database.migrate if app.database else None
    for number, folder in enumerate(migrate.folders if migrate else ()):
        one = migrate is not None and isinstance(migrate.files, str)
        yield "database.migrate.files" if one else f"database.migrate.files[{number}]", folder, "folder"


def _compose_services(path: Path) -> tuple[str, ...]:
    """Return the services of a Compose file, or none where only Compose itself can tell."""
    try:
        content = yaml.load(path.read_bytes(), _AnyTag)  # noqa: S506  # a SafeLoader
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, yaml.YAMLError):
        return ()
    if not isinstance(content, dict) or "include" in content or not isinstance(content.get("services"), dict):
        return ()
    return tuple(str(name) for name in content["services"])


def _parse(text: str, where: str) -> object:
    try:
        return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        raise Misconfigured(where, f"is not YAML: {_yaml_problem(error)}") from error
    except RecursionError as error:
        raise Misconfigured(where, "is nested too deeply to be read") from error


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    return f"line {mark.line + 1}: {problem}" if mark and problem else str(error).splitlines()[0]


def _worth_telling(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list is too short when its items were not taken: those are told."""
    places = [detail["loc"] for detail in details]

    def is_told_below(place: tuple[int | str, ...]) -> bool:
        return any(other[: len(place)] == place and len(other) > len(place) for other in places)

    return [one for one in details if one["type"] != "too_short" or not is_told_below(one["loc"])]


def _explain(detail: ErrorDetails) -> list[str]:
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
            return [f"{place}: found {_short(found)}; allowed: text, which a number or true becomes in quotes"]
        case "string_type":
            return [f"{place}: found {_short(found)}; allowed: text"]
        case "string_pattern_mismatch":
            rule = _RULES.get(context["pattern"], f"text like {context['pattern']}")
            return [f"{place}: found {_short(found)}; allowed: {rule}"]
        case "union_tag_invalid":
            return [f"{place}.kind: found {context['tag']}; allowed: {context['expected_tags'].replace(chr(39), '')}"]
        case kind if kind in _KINDS:
            return [f"{place}: found {_short(found)}; allowed: {_KINDS[kind]}{_keys_at(location, _KINDS[kind])}"]
    allowed = detail["msg"].removeprefix("Input should be ").removeprefix("String should have ").replace("'", "")
    return [f"{place}: found {_short(found)}; allowed: {allowed}"]


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
    names = list(model.model_fields) if model else []
    near = _meant(location)
    meant = f"did you mean {near}? " if near else ""
    return f"{meant}allowed: {', '.join(names)}"


def _meant(location: tuple[int | str, ...]) -> str | None:
    """Return the key that was probably meant by an unknown one."""
    model = _model_at(location[:-1])
    return next(iter(difflib.get_close_matches(str(location[-1]), list(model.model_fields) if model else [], 1)), None)


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
    return f": {'names of your own, each with ' * named}{', '.join(model.model_fields)}"


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


def _short(value: object) -> str:
    try:
        text = "keys with values" if isinstance(value, dict) else repr(value)
    except ValueError:  # a number of thousands of digits
        return "a very large number"
    return text if len(text) <= 60 else f"{text[:57]}…"

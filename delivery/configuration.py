"""Read `headway.yaml`: every mistake is told with its place, what was found, what is allowed and what to do next."""

import difflib
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from delivery.app import App, Image
from delivery.errors import Misconfigured
from delivery.order import environment_of, passed_before
from delivery.release import hash_of

FILE = "headway.yaml"
NEXT_STEP = "every key is explained in docs/headway-yaml.md; `headway schema` prints the schema for editors"
MISSING_STEP = "correct the path, which is relative to headway.yaml, or commit the file"
NAME_RULE = "lower-case letters, digits, dashes, beginning with a letter"
# Names of a union's members, which pydantic puts into the path of a key although they are not in the file.
_TAGS = {("target", "docker"), ("target", "memory")}
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "date_from_datetime_parsing": "a date like 2030-12-31",
    "date_type": "a date like 2030-12-31",
}


class _Loader(yaml.SafeLoader):
    """YAML as JSON knows it: a key that is given twice is a mistake."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: dict[Hashable, int] = {}
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        line = key_node.start_mark.line + 1
        if key in seen:
            raise yaml.YAMLError(f"line {line}: {key} is given twice, first in line {seen[key]}")
        seen[key] = line
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_app(path: Path) -> App:
    """Return what the file says; Misconfigured, with every mistake in it, when it cannot be taken."""
    try:
        text = path.read_text()
    except FileNotFoundError as error:
        raise Misconfigured(str(path), "there is no such file", next_step="headway init") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(str(path), f"cannot be read: {error}") from error
    return load_app_text(text)


def load_app_text(text: str, where: str = FILE) -> App:
    """Return what `text` says; Misconfigured, with every mistake in it, when it cannot be taken."""
    try:
        content = yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        raise Misconfigured(where, f"is not YAML: {_yaml_problem(error)}") from error
    if not isinstance(content, dict):
        found = "is empty" if content is None else f"is {type(content).__name__}, not keys with values"
        raise Misconfigured(where, found, "a file that starts with app:", "headway init")
    try:
        return App.model_validate(content)
    except ValidationError as error:
        problems = [line for detail in error.errors() for line in _explain(detail, content)]
        found = problems[0] if len(problems) == 1 else "\n  ".join([f"{len(problems)} mistakes", *problems])
        raise Misconfigured(where, found, next_step=NEXT_STEP) from error


def check_files(app: App, folder: Path) -> None:
    """Return when every file that `app` names is below `folder`; Misconfigured with all that are missing."""
    missing = [
        f"{key}: there is no {kind} {path}"
        for key, path, kind in _named_files(app)
        if not ((folder / path).is_dir() if kind == "folder" else (folder / path).is_file())
    ]
    if missing:
        found = missing[0] if len(missing) == 1 else "\n  ".join([f"{len(missing)} files are missing", *missing])
        raise Misconfigured(
            FILE, found, next_step="correct the path, which is relative to headway.yaml, or commit the file"
        )


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
    builds: dict[str, Image] = {f"images.{name}": image for name, image in app.images.items()}
    builds |= {f"suites.{name}.build": suite.build for name, suite in app.suites.items() if suite.build}
    for key, image in builds.items():
        yield f"{key}.context", image.context, "folder"
        yield f"{key}.dockerfile", f"{image.context}/{image.dockerfile}", "file"
    for name, suite in app.suites.items():
        if suite.compose:
            yield f"suites.{name}.compose", suite.compose, "file"
    if app.database and app.database.migrate and app.database.migrate.files:
        yield "database.migrate.files", app.database.migrate.files, "folder"


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    return f"line {mark.line + 1}: {problem}" if mark and problem else str(error).splitlines()[0]


def _explain(detail: ErrorDetails, content: object) -> list[str]:
    """Return one line for each mistake an error stands for: key, what was found, what is allowed."""
    place = _key(detail["loc"])
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return [f"{place}: there is no such key; {_allowed_keys(detail['loc'], content)}"]
        case "missing":
            return [f"{place}: is missing"]
        case "value_error":
            lines = str(context["error"]).splitlines()
            return [f"{place}: {line}" if place else line for line in lines]
        case "string_pattern_mismatch":
            allowed = (
                "lower-case letters, digits, dashes, beginning with a letter" if "38" in context["pattern"] else ""
            )
            return [f"{place}: found {detail['input']!r}; allowed: {allowed or 'text like ' + context['pattern']}"]
        case "union_tag_invalid":
            return [f"{place}.kind: found {context['tag']}; allowed: {context['expected_tags'].replace(chr(39), '')}"]
        case kind if kind in _KINDS:
            return [f"{place}: found {_short(detail['input'])}; allowed: {_KINDS[kind]}"]
    problem = detail["msg"].removeprefix("Input should be ").removeprefix("String should have ").replace("'", "")
    return [f"{place}: found {_short(detail['input'])}; allowed: {problem}"]


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


def _allowed_keys(location: tuple[int | str, ...], content: object) -> str:
    """Say which keys are allowed beside the unknown one, and which of them was probably meant."""
    model = _model_at(location[:-1])
    names = list(model.model_fields) if model else []
    near = difflib.get_close_matches(str(location[-1]), names, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{meant}allowed: {', '.join(names)}"


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Return the model that describes the place `location` leads to."""
    model: type[BaseModel] | None = App
    for part in location:
        if model is None:
            return None
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
    text = repr(value) if not isinstance(value, dict) else "keys with values"
    return text if len(text) <= 60 else f"{text[:57]}…"

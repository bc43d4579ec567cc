"""Read `headway.yaml`: every mistake is told with its place, what was found, what is allowed and what to do next."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from delivery.counting import counted
from delivery.errors import Misconfigured
from delivery.model import NAME_PATTERN, hash_of
from delivery.spec.app import App, environment_of, passed_before
from delivery.spec.consistency import problems_of
from delivery.spec.env_files import with_env_files
from delivery.spec.mistakes import explain, meant, worth_telling
from delivery.spec.named_files import file_problems
from delivery.spec.reading import read_rest
from delivery.spec.yaml_text import parse, short

FILE = "headway.yaml"
NEXT_STEP = "every key is explained in docs/headway-yaml.md; `headway schema` prints the schema for editors"
_NOT_RELEASED = {"migrate": {"rehearsal", "down"}}  # how a migration is tried and taken back, not what it is
MISSING_STEP = "correct the path, which is relative to headway.yaml, or commit the file"


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
    content = parse(text, where)
    if not isinstance(content, dict):
        found = "is empty" if content is None else f"is not keys with values (found {short(content)})"
        raise Misconfigured(where, found, "a file that starts with app:", "headway init")
    try:
        return Reading(App.model_validate(content))
    except ValidationError as error:
        details = worth_telling(error.errors())
    mistakes = [line for detail in details for line in explain(detail)]
    rest, is_whole = read_rest(content, details, meant)
    if rest and is_whole:
        mistakes += problems_of(rest)
    app = App.model_construct(rest.model_fields_set, **dict(rest)) if rest else None
    return Reading(app, tuple(dict.fromkeys(mistakes)))


def app_name(path: Path) -> str:
    """Return the application's name, whatever else is wrong with the file; Misconfigured when it tells none."""
    content = parse(_text(path), FILE)
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
            "database": app.database.model_dump(mode="json", exclude=_NOT_RELEASED) if app.database else None,
            "env": {name: app.environments[name].env for name in stops},
            "secrets": {name: app.environments[name].secrets for name in stops},
        }
    )

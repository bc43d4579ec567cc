"""`headway check`: what is wrong with the file, before anything is built."""

from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from cli.output import AsJson, print_model, say, warn
from cli.project import find_folder
from cli.scan_database import warning_of
from cli.session import orchestrator, running
from delivery.counting import counted
from delivery.errors import HeadwayError, Misconfigured
from delivery.spec.app import App, environment_of
from delivery.spec.configuration import FILE, MISSING_STEP, NEXT_STEP, read_app, told
from delivery.spec.matrix import expand
from delivery.spec.migration_files import migration_advice
from delivery.spec.named_files import file_problems
from delivery.spec.named_images import unused_images
from delivery.spec.secret_blocks import named_secrets


class Found(NamedTuple):
    """Mistakes with what to do about each, and what is no mistake but worth a word."""

    mistakes: list[tuple[str, str]]
    words: list[str]


def check(
    folder: Annotated[Path | None, typer.Argument(help="Folder with headway.yaml; none: this one.")] = None,
    environment: Annotated[str | None, typer.Option(help="Look at all that this environment needs as well.")] = None,
    as_json: AsJson = False,
) -> int:
    """Read headway.yaml and look for every file, image and secret it names; builds nothing, ends 2 on a mistake."""
    folder = find_folder(folder)
    reading = read_app(folder / FILE)
    found = Found([(line, NEXT_STEP) for line in reading.mistakes], [])
    if reading.app:
        _look(reading.app, folder, found)
    for word in dict.fromkeys(found.words):
        warn(word)
    if found.mistakes or reading.app is None:
        steps = dict.fromkeys(step for _, step in found.mistakes)
        raise told([line for line, _ in found.mistakes], next_step="; ".join(steps))
    app = reading.app
    if environment:
        return _preflight(app, environment, as_json=as_json)
    if as_json:
        print_model(app)
        return 0
    parts = [
        counted(len(app.images), "image"),
        counted(len(app.services), "service"),
        counted(len(expand(app)), "test cell"),
    ]
    say(f"{app.app}: {', '.join(parts)}; environments: {', '.join(app.environments)}", "green")
    return 0


def _preflight(app: App, environment: str, *, as_json: bool) -> int:
    """Print how each thing is that a delivery into the environment needs, and return the exit code."""
    environment_of(app, environment)
    running()
    from flows.preflight import preflight

    findings = preflight(app, environment)
    if as_json:
        print_model(findings)
    for finding in () if as_json else findings:
        say(
            f"[{'ok' if finding.is_well else 'fail'}] {finding.what}: {finding.found}",
            None if finding.is_well else "red",
        )
        if finding.next_step:
            say(f"       next: {finding.next_step}")
    return 0 if all(finding.is_well for finding in findings) else Misconfigured.exit_code


def _look(app: App, folder: Path, found: Found) -> None:
    """Add what is wrong with what the file names: files, builds, images, secrets."""
    found.mistakes.extend((line, MISSING_STEP) for line in file_problems(app, folder))
    found.words.extend(f"images.{name}: nothing in the file runs it" for name in unused_images(app))
    found.words.extend(migration_advice(app))
    _look_for_images(app, folder, found)
    _look_for_secrets(app, found)
    if word := warning_of(app.scan):
        found.words.append(word)


def _look_for_images(app: App, folder: Path, found: Found) -> None:
    from delivery.opening import open_services  # every other command would wait for it

    problems, looked = open_services().builder.look(app, folder)
    found.mistakes.extend((line, step or NEXT_STEP) for line, step in problems)
    found.mistakes.extend((line, looked.next_step) for line in looked.nowhere)
    found.words.extend(f"not known: {line}" for line in looked.unknown)


def _look_for_secrets(app: App, found: Found) -> None:
    if not named_secrets(app):
        return
    if not orchestrator().answers():
        found.words.append("secrets were not looked for: the platform is not up (headway up)")
        return
    from flows.secret_blocks import missing_secrets

    try:
        for key, name in missing_secrets(app).items():
            found.mistakes.append((f"{key}: there is no secret {name}", f"headway secret set {name}"))
    except HeadwayError as error:
        found.words.append(f"secrets were not looked for: {error}")

"""How a command is run in a build stage: in which folder, in which Python environment, past which entry point."""

import posixpath
import re
import shlex
from pathlib import Path

from delivery.discovery.contents import Build, workdir_of
from delivery.discovery.dockerfiles import Stage, environment, last_of, started_as
from delivery.discovery.folders import below, read, walk

_PASSING_ON = re.compile(
    r"(^|/)(tini|dumb-init|docker-init|catatonit|gosu|su-exec|env|exec|uv|poetry|pipenv|pdm|bundle|npx"
    r"|docker-php-entrypoint)$"
)
_TESTING = re.compile(r"test|jest|vitest|mocha|spec|tox|nox|cypress|playwright|newman|check", re.IGNORECASE)


def takes_commands(build: Build, stage: Stage) -> bool:
    """Whether the stage's entry point runs what it is given, or there is none."""
    entrypoint, _ = started_as(build.file.instructions(stage))
    if not entrypoint or _PASSING_ON.search(entrypoint[0]):
        return True
    script = next((word for word in entrypoint if re.search(r"\.sh$|entrypoint", word)), "")
    return re.search(r"\$\{?@", _script(build, script)) is not None if script else False


def tests_by_itself(build: Build, stage: Stage) -> tuple[bool, list[str]]:
    """Return whether the stage's entry point is a test run, and its own command where that is one."""
    own = list(stage.instructions)
    entrypoint, command = last_of(own, "ENTRYPOINT"), last_of(own, "CMD")
    words = command.command() if command else []
    if entrypoint and _TESTING.search(entrypoint.value) and not takes_commands(build, stage):
        return True, []
    return False, words if words and _TESTING.search(" ".join(words)) else []


def in_folder(words: list[str], folder: str | None, build: Build, stage: Stage) -> list[str]:
    """Return the command so that it starts in `folder` of the image."""
    workdir = workdir_of(build.file.instructions(stage))
    if folder is None or posixpath.normpath(folder) == workdir:
        return words
    inside = folder[len(workdir) + 1 :] if folder.startswith(f"{workdir}/") else folder
    return ["sh", "-c", f"cd {shlex.quote(inside)} && exec {shlex.join(words)}"]


def folder_in(build: Build, stage: Stage, project: Path, *files: Path) -> str | None:
    """Return where `project` lies in the stage, told by one of `files` below it; none when none of them is there."""
    for file in files:
        where, inside = below(file, build.context), below(file, project)
        place = build.place(stage, where) if where else None
        if place and inside and place.endswith(f"/{inside}"):
            return place[: -len(inside) - 1] or "/"
    return None


def python_words(build: Build, stage: Stage, words: list[str]) -> list[str]:
    """Return a command of Python's with what enters the environment its packages are in."""
    instructions = build.file.instructions(stage)
    variables = environment(instructions)
    if "venv" in variables.get("PATH", "") or "VIRTUAL_ENV" in variables:
        return words
    entrypoint, command = started_as(instructions)
    started = " ".join([*entrypoint, *command])
    if inside := re.search(r"(\S*venv/bin)/", started):
        return [f"{inside[1].lstrip(chr(34))}/{words[0]}", *words[1:]]
    runs = "\n".join(one.value for one in instructions if one.keyword == "RUN")
    if re.search(r"\buv\s+sync\b", runs) and "UV_PROJECT_ENVIRONMENT" not in variables:
        return ["uv", "run", "--no-sync", *words]
    creates = "virtualenvs.create false" not in runs and variables.get("POETRY_VIRTUALENVS_CREATE", "").lower() not in (
        "false",
        "0",
    )
    if re.search(r"\bpoetry\s+(install|sync)\b", runs) and creates:
        return ["poetry", "run", *words]
    if re.search(r"\bpipenv\s+(install|sync)\b(?!.*--system)", runs):
        return ["pipenv", "run", *words]
    return ["pdm", "run", *words] if re.search(r"\bpdm\s+(install|sync)\b", runs) else words


def _script(build: Build, word: str) -> str:
    """Return the text of a script that the image brings along, by its name."""
    name = posixpath.basename(word.strip("\"'"))
    return next((read(path) for path in walk(build.context, 4, beside=True) if path.name == name), "")

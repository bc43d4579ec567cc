"""A small repository of a stranger, and what is guessed of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delivery.discovery import Draft, discover
from delivery.spec.app import App
from delivery.spec.configuration import check_files, load_app_text

WEB = "FROM python:3.11-alpine\nWORKDIR /app\nCOPY . .\nEXPOSE 8000\nCMD serve\n"
BUILT = "FROM python:3.12\nWORKDIR /app\nCOPY . .\n"
POSTGRES = "  db:\n    image: postgres:16-alpine\n    environment: {POSTGRES_PASSWORD: local}\n"


@dataclass
class Guess:
    """What `headway check` takes of a first file, and what was said beside it."""

    app: App
    draft: Draft

    @property
    def guesses(self) -> str:
        return "\n".join(self.draft.guesses)

    @property
    def left_out(self) -> str:
        return "\n".join(self.draft.left_out)

    @property
    def decisions(self) -> str:
        return "\n".join(self.draft.decisions)


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write the files of a repository into `folder`."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def guess(folder: Path, files: dict[str, str]) -> Guess:
    """Write `files` and return what is guessed; fails where `headway check` would not take it."""
    draft = discover(write(folder, files))
    app = load_app_text(draft.text)
    check_files(app, folder)
    return Guess(app, draft)


def package(**content: Any) -> str:
    """Return a package.json; `dev` and `deps` name packages."""
    named = {"dependencies": content.pop("deps", []), "devDependencies": content.pop("dev", [])}
    return json.dumps({"name": "app", **{key: dict.fromkeys(names, "1") for key, names in named.items()}, **content})


def composed(folder: Path, services: str, **files: str) -> Guess:
    """Return what is guessed of one Dockerfile and a Compose file with `services`, indented by two."""
    return guess(folder, {"Dockerfile": BUILT, "compose.yaml": f"services:\n{services}", **files})


def suites(found: Guess) -> dict[str, dict[str, Any]]:
    """Return the suites as they stand in the file."""
    return dict(found.draft.content.get("suites", {}))

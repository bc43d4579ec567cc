"""Versions of an application whose code is what its suite does in SQL, and rehearsals of them."""

import base64
import secrets
from datetime import UTC, datetime
from pathlib import Path

from delivery.docker.cells.rehearsal import rehearse
from delivery.home import Home
from delivery.ports.rehearsals import ALL, CodeVersion, RehearsalRequest
from delivery.releases.rehearsal import SCHEMA_ALONE, Rehearsal
from delivery.spec.app import App

POSTGRES = "postgres:15-alpine"
BUSYBOX = "busybox:1.36"
UP = "mkdir /w && touch /w/up && exec httpd -f -p 8080 -h /w"
SERVES = {"image": BUSYBOX, "port": 8080, "health": "/up", "command": ["sh", "-c", UP]}


def psql(script: str) -> list[str]:
    """Return the command that runs a script up to its first error, each statement by itself."""
    text = base64.b64encode(script.encode()).decode()
    return ["sh", "-c", f'echo {text} | base64 -d | psql -qX -v ON_ERROR_STOP=1 "$DATABASE_URL"']


def version(
    migrates: str, asks: str = "", *, down: str = "", services: object = None, **rehearsal: object
) -> CodeVersion:
    """Return a version; without `asks` its services have to start, and nothing more."""
    suites = {"contract": {"image": POSTGRES, "command": psql(asks), "database": True}} if asks else {}
    migrate: dict[str, object] = {"image": POSTGRES, "command": psql(migrates)}
    migrate |= {"rehearsal": {"suites": list(suites), **rehearsal}, **({"down": psql(down)} if down else {})}
    described = {
        "app": "shop",
        "images": {"api": {}},
        "services": services or {"api": SERVES},
        "database": {"name": "app", "migrate": migrate},
        "suites": suites,
        "environments": {"production": {}},
    }
    return CodeVersion(App.model_validate(described), {})


def home_in(folder: Path) -> Home:
    """Return the home of a platform of its own in `folder`, which shares the base images' cache."""
    home = Home(folder / "home")
    home.root.mkdir()
    (home.root / "cache").symlink_to(Home.current().cache, target_is_directory=True)
    return home


def rehearsed(home: Home, folder: Path, old: CodeVersion, new: CodeVersion, **more: object) -> Rehearsal:
    """Return what a rehearsal showed, as it is kept."""
    fields = {"run": secrets.token_hex(4), "logs": folder / "logs", "cells": ALL} | more
    shown = rehearse(RehearsalRequest(old, new, **fields), lambda code: dict(code.images), home=home)  # type: ignore[arg-type]
    return Rehearsal(
        app="shop",
        inputs="",
        at=datetime.now(UTC),
        live="old",
        release="new",
        data=SCHEMA_ALONE,
        applied=shown.applied,
        statements=shown.statements,
        cells=shown.cells,
        problem=shown.problem,
        inconclusive=shown.inconclusive,
        remarks=shown.remarks,
    )

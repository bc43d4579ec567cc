"""`headway check`: what is wrong with the file, before anything is built."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import print_json, say
from delivery.configuration import check_files, load_app
from delivery.matrix import expand


def check(
    folder: Annotated[Path, typer.Argument(help="Folder with headway.yaml.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print what was read as data.")] = False,
) -> None:
    """Read headway.yaml and look for every file it names; builds nothing, ends 2 when something is wrong."""
    app = load_app(folder / "headway.yaml")
    check_files(app, folder)
    if as_json:
        print_json(app.model_dump(mode="json"))
        return
    cells = len(expand(app))
    parts = [f"{len(app.images)} images", f"{len(app.services)} services", f"{cells} test cells"]
    say(f"{app.app}: {', '.join(parts)}; environments: {', '.join(app.environments)}", "green")

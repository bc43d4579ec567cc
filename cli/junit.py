"""`headway junit`: what the tests of a run said, for programs that read it."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import AsJson, print_json, say
from cli.session import reached
from delivery.counting import counted


def junit(
    run: Annotated[str, typer.Argument(help="Its id; of a delivery the beginning of it or the name.")],
    to: Annotated[Path, typer.Option(help="Folder that the files are copied to.")] = Path("junit"),
    as_json: AsJson = False,
) -> None:
    """Copy the JUnit files of a run, one folder a test cell."""
    reached()
    from flows.results import copy_junit
    from flows.run_search import named

    copied = copy_junit(named(run).id, to)
    if as_json:
        print_json([str(path) for path in copied])
        return
    say(f"{counted(len(copied), 'file')} in {to}")

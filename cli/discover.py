"""`headway init` and `headway schema`: the way to a first file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.output import AsJson, print_json, print_model, say
from cli.shown import FirstFile
from delivery.errors import Misconfigured
from delivery.spec.configuration import FILE, check_files, load_app_text
from delivery.spec.schema import app_schema


def init(
    folder: Annotated[Path, typer.Argument(help="The application's folder.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a first headway.yaml from what lies in the folder; say what was guessed, left out and is yours to decide.

    A file that is there already is never overwritten.
    """
    from delivery.discovery import discover  # every other command would wait for it

    path = folder / FILE
    if path.exists():
        raise Misconfigured(str(path), "is there already", next_step="headway check; or remove it first")
    if not folder.is_dir():
        raise Misconfigured(str(folder), "is no folder", "the folder of an application")
    draft = discover(folder)
    check_files(load_app_text(draft.text), folder)
    with path.open("x") as file:
        file.write(draft.text)
    if as_json:
        print_model(
            FirstFile(
                file=str(path),
                content=dict(draft.content),
                guesses=tuple(draft.guesses),
                left_out=tuple(draft.left_out),
                decisions=tuple(draft.decisions),
            )
        )
        return
    say(f"wrote {path}; guessed:")
    _say_each(draft.guesses)
    if draft.left_out:
        say("left out:")
        _say_each(draft.left_out)
    if draft.decisions:
        say("for you to decide:", "yellow")
        _say_each(draft.decisions)
    say("next: read it, then headway check, headway plan, git commit, headway run")


def _say_each(notes: Sequence[str]) -> None:
    for note in notes:
        first, *rest = note.split("\n")
        say(f"  · {first}")
        for line in rest:
            say(f"      {line}")


def schema(
    output: Annotated[
        str | None, typer.Option(metavar="VERB", help="Of what this command prints with --json, as `status`.")
    ] = None,
) -> None:
    """Print the JSON Schema of headway.yaml, for editors; or of what a command prints, for programs."""
    if output is None:
        print_json(app_schema())
        return
    from cli.outputs import output_schema

    print_json(output_schema(output))

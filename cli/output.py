"""How the command line speaks: lines for people on the terminal, JSON for programs, errors on stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from delivery.errors import Misconfigured
from delivery.model import Model

AsJson = Annotated[bool, typer.Option("--json", help="Print data: `headway schema --output VERB` describes it.")]
WIDE = 160  # columns where there is no terminal: a pipe or a log wraps nothing
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str, style: str | None = None) -> None:
    """Print one line."""
    console.print(text, style=style, markup=False)


def print_line(text: str) -> None:
    """Print a line of somebody else's as it is, at once."""
    print(text, flush=True)


def complain(text: str) -> None:
    """Print an error."""
    errors.print(f"error: {text}", style="red", markup=False)


def warn(text: str) -> None:
    """Print a line that is no data, so that it is read although the output is JSON."""
    errors.print(text, style="yellow", markup=False)


def print_json(value: Any) -> None:
    """Print data for a program."""
    print(json.dumps(value, indent=2, default=str))


def print_model(value: Model | Sequence[Model]) -> None:
    """Print a value, or several, for a program."""
    told = [one.model_dump(mode="json") for one in ([value] if isinstance(value, Model) else value)]
    print_json(told[0] if isinstance(value, Model) else told)


def write_text(path: Path, text: str) -> None:
    """Write a file that somebody asked for; Misconfigured where that cannot be."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Misconfigured(str(path), f"cannot be written: {error.strerror or error}") from error


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under column names."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)


def age(value: float) -> str:
    """Write how long ago something was, in its largest unit."""
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if value >= size:
            return f"{value / size:.0f} {name}"
    return f"{value:.0f} s"


def seconds(value: float) -> str:
    """Write a duration as a person would."""
    if value < 100:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"

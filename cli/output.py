"""How the command line speaks: lines for people on the terminal, JSON for programs, errors on stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

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


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under column names."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)


def seconds(value: float) -> str:
    """Write a duration as a person would."""
    if value < 100:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"

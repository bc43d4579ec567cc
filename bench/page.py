"""The tables of docs/benchmarks.md, from what was kept of releases, faults and deaths: `python -m bench.page`."""

import re
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from bench import chaos, fault_tables, releases
from bench.keeping import read

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
MARK = "<!-- measured: {} -->"


def tables() -> dict[str, Table]:
    """Return what the page shows, by the name its mark has."""
    series, sides = read(releases.FILE), read(fault_tables.FILE)
    return {
        "series": releases.series_table(series),
        "requests": releases.requests_table(series["good"]["kinds"]),
        "phases": releases.phases_table(series["good"]),
        "faults": fault_tables.side_table("", sides["Headway"]["faults"]),
        "beside": fault_tables.beside(sides),
        "chaos": chaos.table(read(chaos.FILE)["figures"]),
    }


def with_tables(page: str, shown: Mapping[str, Table]) -> str:
    """Return the page with each table behind its mark, instead of the one that stood there."""
    for name, table in shown.items():
        mark = re.escape(MARK.format(name))
        new = f"{MARK.format(name)}\n\n{as_markdown(table)}\n"
        page, found = re.subn(rf"{mark}\n+(\|[^\n]*\n)*\n*", lambda _, new=new: new, page)  # type: ignore[misc]
        if found != 1:
            raise ValueError(f"{MARK.format(name)} stands {found} times in the page")
    return page.rstrip() + "\n"


def as_markdown(table: Table) -> str:
    """Return a table as lines of Markdown."""
    columns = [[str(column.header), "---", *map(str, column.cells)] for column in table.columns]
    return "".join(f"| {' | '.join(row)} |\n" for row in zip(*columns, strict=True))


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(), tables()))

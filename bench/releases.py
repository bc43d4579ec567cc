"""Many good releases in a row under load, and what users saw of them: `python -m bench.releases`.

See docs/benchmarks.md for what each figure means.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from bench.confidence import median_and_p95
from bench.ending import WITHDRAWN, Ending
from bench.keeping import RESULTS, end_by_signal, keep, stamp
from bench.load import LoadProcess
from bench.place import STEPS, WATCH_SECONDS, Site, new_site
from cli.output import console
from delivery.errors import HeadwayError
from delivery.platform.engine import ensure_engine
from delivery.traffic.verdict import upper_bound

FILE = RESULTS / "releases.json"
Row = Mapping[str, Any]


def main(
    count: Annotated[int, typer.Option(min=0, help="Good releases in a row.")] = 50,
    noisy: Annotated[int, typer.Option(min=0, help="Then so many of an application that is noisy.")] = 0,
) -> None:
    """Release again and again under load on a platform of its own."""
    end_by_signal()
    ensure_engine()
    try:
        with new_site(console.print) as site:
            for kind, releases in {"good": count, "noisy": noisy}.items():
                if releases:
                    report(kind, series(site, kind, releases))
    except HeadwayError as error:
        console.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(error.exit_code) from None


def series(site: Site, kind: str, count: int) -> dict[str, Any]:
    """Release `count` times under load, after one release without; return endings and what users saw."""
    for number in range(count + 1):
        site.images.name(kind, number)
    first = site.put_live(site.release(kind, 0))
    if not first.went_live:
        raise RuntimeError(f"the first release of all ended {first.outcome}: {first.reason}")
    endings: list[Ending] = []
    with LoadProcess(site.url) as load:
        for number in range(1, count + 1):
            ending = site.put_live(site.release(kind, number))
            endings.append(ending)
            told = f"{ending.outcome} after {ending.seconds:.1f} s {ending.reason}"
            console.print(f"{kind} {number}: {told}", markup=False)
    return {"endings": endings, "counts": load.counts}


def report(kind: str, found: Mapping[str, Any]) -> None:
    """Print and keep one series."""
    endings, counts = found["endings"], found["counts"]
    data = {
        **stamp(),
        "steps": [{"percent": percent, "hold_seconds": hold} for percent, hold in STEPS],
        "watch_seconds": WATCH_SECONDS,
        "outcomes": [ending.outcome for ending in endings],
        "reasons": [ending.reason for ending in endings if ending.reason],
        "seconds": [ending.seconds for ending in endings],
        "phases": [dict(ending.phases) for ending in endings],
        "kinds": counts["kinds"],
        "failures": counts["failures"][:200],
    }
    keep(FILE, kind, data)
    for table in (series_table({kind: data}), requests_table(data["kinds"]), phases_table(data)):
        console.print(table)


def series_table(series: Mapping[str, Row]) -> Table:
    """Return one row for each series: how its releases ended, and how many were withdrawn for nothing."""
    columns = ("releases", "in a row", "live", "withdrawn", "at most (95 %)", "requests", "failed", "median", "p95")
    table = Table(*columns)
    for kind, one in series.items():
        ended = one["outcomes"]
        withdrawn = ended.count(WITHDRAWN)
        median, p95 = median_and_p95(one["seconds"])
        sums = [f"{sum(kind[key] for kind in one['kinds'].values()):,}" for key in ("requests", "failed")]
        most = f"{100 * upper_bound(withdrawn, len(ended)):.1f} %"
        counts = [str(len(ended)), str(ended.count("live")), str(withdrawn), most]
        table.add_row(kind, *counts, *sums, f"{median:.1f} s", f"{p95:.1f} s")
    return table


def requests_table(kinds: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return one row for each kind of request and one for all."""
    table = Table("requests", "sent", "failed", "closed", "at most (95 %)", "p50", "p95", "p99", "max")
    for name, one in kinds.items():
        times = [f"{value:.0f} ms" if value is not None else "–" for value in one["latency_ms"].values()]
        table.add_row(name, *_counts(one["requests"], one["failed"], one["closed"]), *times)
    sums = [sum(one[key] for one in kinds.values()) for key in ("requests", "failed", "closed")]
    table.add_row("all", *_counts(*sums), style="bold")
    return table


def phases_table(series: Row) -> Table:
    """Return one row for each phase and one for the whole release."""
    table = Table("of a release", "median", "p95")
    names = dict.fromkeys(name for phases in series["phases"] for name in phases)
    rows = {name: [phases.get(name, 0.0) for phases in series["phases"]] for name in names}
    for name, values in {**rows, "all": series["seconds"]}.items():
        median, p95 = median_and_p95(values)
        table.add_row(name, f"{median:.1f} s", f"{p95:.1f} s")
    return table


def _counts(requests: int, failed: int, closed: int) -> tuple[str, str, str, str]:
    return f"{requests:,}", str(failed), str(closed), f"{1e6 * upper_bound(failed, requests):.0f} in a million"


if __name__ == "__main__":
    typer.run(main)

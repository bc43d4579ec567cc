"""How long deliveries take, and how much of it need not be: `python -m bench.delivery`.

See docs/benchmarks.md for what each figure means.
"""

import json
import platform
import signal
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from bench.figures import AIMS, Figures
from bench.scenarios import CORES, SCENARIOS, new_bench
from cli.output import console
from delivery.errors import HeadwayError
from delivery.platform.engine import ensure_engine

RESULTS = Path(__file__).parent / "results" / "delivery.json"
MOST_ROWS = 6
COLUMNS = ("scenario", "wall", "set-up", "start", "makespan", "end", "bound", "ratio", "aim", "reached")


class Scenario(StrEnum):
    """What can be measured alone."""

    COLD = "cold"
    NO_CHANGE = "no-change"
    ONE_SERVICE = "one-service"
    NO_OP = "no-op"


def main(
    runs: Annotated[int, typer.Option(min=1, help="How often; the median by wall time is shown.")] = 1,
    only: Annotated[list[Scenario] | None, typer.Option(help="This scenario alone; may be repeated.")] = None,
) -> None:
    """Measure deliveries of the task manager on a platform of their own."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the platform is removed
    asked = [name for name in SCENARIOS if not only or name in set(only)]
    engine = ensure_engine().version
    measured: dict[str, list[Figures]] = {name: [] for name in asked}
    console.print(
        f"Docker {engine}; base images, package downloads and the vulnerability database may be there already"
    )
    try:
        for _ in range(runs):
            with new_bench(console.print) as bench:
                for name in asked:
                    console.print(f"{name} …")
                    measured[name].append(SCENARIOS[name](bench))
    except HeadwayError as error:
        console.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(error.exit_code) from None
    finally:
        report({name: done for name, done in measured.items() if done}, engine)


def report(measured: dict[str, list[Figures]], engine: str) -> None:
    """Print and keep what was measured, also when not everything could be."""
    shown = [median(runs) for runs in measured.values()]
    if shown:
        console.print(table(shown))
        for figures in shown:
            print_details(figures)
        keep(measured, engine)


def median(runs: Sequence[Figures]) -> Figures:
    """Return the run of the median wall time, the faster one of two."""
    wall = statistics.median_low(figures.wall for figures in runs)
    return next(figures for figures in runs if figures.wall == wall)


def table(shown: Sequence[Figures]) -> Table:
    """Return one row for each scenario."""
    made = Table(*COLUMNS, header_style="bold")
    for figures in shown:
        aim = AIMS[figures.scenario]
        seconds = (figures.wall, figures.set_up, figures.start, figures.makespan, figures.end, figures.bound)
        reached = "[green]yes[/green]" if aim.is_reached(figures) else "[red]no[/red]"
        ratio = f"{figures.ratio:.2f}" if aim.figure == "ratio" else "–"
        made.add_row(figures.scenario, *(f"{value:.1f} s" for value in seconds), ratio, str(aim), reached)
    return made


def print_details(figures: Figures) -> None:
    """Print where a scenario's time went."""
    console.print(f"\n{figures.scenario}: {figures.steps} steps, path {figures.path:.1f} s, work {figures.work:.1f} s")
    for phase in figures.phases:
        busy = f"steps {phase.step_seconds:.1f} s"
        console.print(f"  {phase.begins:7.1f} – {phase.ends:6.1f}  {phase.name:<14} {busy}", markup=False)
    longest = sorted(figures.critical, key=lambda spent: -spent.seconds)
    print_most("of the path, the longest steps", [(spent.seconds, spent.step) for spent in longest])
    print_most("nothing ran", [(gap.seconds, f"{gap.after} → {gap.before}") for gap in figures.pauses])
    print_most("of the last chain, waits", [(gap.seconds, f"{gap.after} → {gap.before}") for gap in figures.waits])


def print_most(what: str, rows: Sequence[tuple[float, str]]) -> None:
    """Print the first rows and the sum of all."""
    console.print(f"  {what}: {sum(seconds for seconds, _ in rows):.1f} s", markup=False)
    for seconds, text in rows[:MOST_ROWS]:
        console.print(f"    {seconds:6.2f} s  {text}", markup=False)


def keep(measured: dict[str, list[Figures]], engine: str) -> None:
    """Write every run as JSON; what was not measured this time stays."""
    before = json.loads(RESULTS.read_text())["scenarios"] if RESULTS.exists() else {}
    machine = {"cores": CORES, "python": platform.python_version(), "engine": engine}
    scenarios = {name: as_data(runs, machine) for name, runs in measured.items()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"scenarios": before | scenarios}, indent=2, ensure_ascii=False) + "\n")
    console.print(f"\nkept in {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS}")


def as_data(runs: Sequence[Figures], machine: dict[str, Any]) -> dict[str, Any]:
    """Return one scenario's runs with the machine they ran on; nothing in it names a host or a folder."""
    aim = AIMS[runs[0].scenario]
    measured_at = datetime.now(UTC).isoformat(timespec="seconds")
    data = [{**asdict(figures), "ratio": figures.ratio, "reached": aim.is_reached(figures)} for figures in runs]
    rounded = json.loads(json.dumps(data), parse_float=lambda text: round(float(text), 3))
    return {"measured": measured_at, "machine": machine, "aim": str(aim), "runs": rounded}


if __name__ == "__main__":
    typer.run(main)

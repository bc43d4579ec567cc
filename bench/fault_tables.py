"""What came of the faults, as tables and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from bench.confidence import median_and_p95
from bench.keeping import RESULTS, keep, read, stamp
from bench.trials import FAULT_SECONDS, NONE, Trial
from cli.output import console

BESIDE = f"failed requests of a trial (median), and when traffic was back; else {FAULT_SECONDS:g} s are looked at"
FILE = RESULTS / "faults.json"
Row = Mapping[str, Any]


def report(side: str, found: Mapping[str, Sequence[Trial]]) -> None:
    """Print and keep the trials of one side, and print all sides beside each other."""
    if not found:
        return
    before = read(FILE).get(side, {}).get("faults", {})
    faults = before | {name: [asdict(trial) for trial in trials] for name, trials in found.items()}
    keep(FILE, side, {**stamp(), "faults": faults})
    sides = read(FILE)
    console.print(side_table(side, sides[side]["faults"]))
    if len(sides) > 1:
        console.print(beside(sides))


def side_table(side: str, faults: Mapping[str, Sequence[Row]]) -> Table:
    """Return one row for each fault."""
    columns = ("fault", "caught", "back on old", "failed GET", "failed POST", "closed", "back after", "p95")
    table = Table(*columns, "last answer", "withdrawn after", "left over", title=side)
    for name, trials in faults.items():
        acted = [trial for trial in trials if trial["acted"]]
        sums = [str(sum(trial[key] for trial in trials)) for key in ("failed_idempotent", "failed_other", "closed")]
        back, p95 = back_seconds(trials)
        answered = "–" if name == NONE.name else _median([trial.get("answered_seconds") for trial in acted], 2)
        withdrawn = _median([trial["withdrawn_seconds"] for trial in acted])
        left = str(sum(bool(trial["leftovers"]) for trial in trials))
        table.add_row(
            *(name, _caught(name, trials), _of(acted, "back") if name != NONE.name else "–"),
            *(*sums, back, p95, answered, withdrawn, left),
        )
    return table


def beside(sides: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return one row for each fault, with every side in it."""
    table = Table(
        "fault",
        *sides,
        title=BESIDE,
    )
    names = dict.fromkeys(name for side in sides.values() for name in side["faults"])
    for name in names:
        table.add_row(name, *(_cell(name, side["faults"].get(name, ())) for side in sides.values()))
    return table


def back_seconds(trials: Sequence[Row]) -> tuple[str, str]:
    """Return median and p95 of the time until the release got no traffic any more; in words when it never got any."""
    if trials and not any(trial["got_traffic"] for trial in trials):
        return "no traffic", "–"
    values = [trial["back_seconds"] for trial in trials if trial["back_seconds"] is not None]
    if not values:
        return "–", "–"
    median, p95 = median_and_p95(values)
    return f"{median:.2f} s", f"{p95:.2f} s"


def _cell(name: str, trials: Sequence[Row]) -> str:
    if not trials:
        return "not possible"
    failed = [trial["failed_idempotent"] + trial["failed_other"] for trial in trials]
    became = "" if name == NONE.name else f"; {_became(trials)}"
    return f"{median_and_p95(failed)[0]:g}{became}"


def _became(trials: Sequence[Row]) -> str:
    staying = sum(not trial["back"] for trial in trials)
    if staying == len(trials):
        return "stays"
    return back_seconds(trials)[0] + (f", stays in {staying} of {len(trials)}" if staying else "")


def _caught(name: str, trials: Sequence[Row]) -> str:
    if name == NONE.name:
        return f"{sum(trial['caught'] for trial in trials)} of {len(trials)} (for nothing)"
    acted = [trial for trial in trials if trial["acted"]]
    early = len(trials) - len(acted)
    return _of(acted, "caught") + (f", {early} ended before" if early else "")


def _of(trials: Sequence[Row], key: str) -> str:
    return f"{sum(bool(trial[key]) for trial in trials)} of {len(trials)}"


def _median(values: Sequence[float | None], digits: int = 1) -> str:
    known = [value for value in values if value is not None]
    return f"{median_and_p95(known)[0]:.{digits}f} s" if known else "–"

"""Kill anything at any moment of a change, again and again: `python -m bench.chaos --runs 200 --places 4`.

See docs/benchmarks.md for what is killed, what has to be true afterwards, and what each figure means.
"""

import json
import random
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from bench.chaos_check import living_daemons
from bench.chaos_kill import daemon_of
from bench.chaos_plan import Kill, Victim, plan, rounds
from bench.chaos_platform import ChaosPlatform, chaos_platform
from bench.chaos_run import Chaos, Result
from bench.chaos_watch import leases_watched, traffic_on
from bench.chaos_zombie import Awakening, wake_a_zombie
from bench.keeping import RESULTS, end_by_signal, read, stamp
from cli.output import console
from delivery.errors import HeadwayError, Misconfigured

FILE = RESULTS / "chaos.json"
ROOT = Path(__file__).resolve().parents[1]
UNSERVED_MS = 1000  # users without an answer for longer are told of
COLUMNS = ("killed", "runs", "whole after", "converged after", "after the lease: whole", "converged", "longest gap")
TIMES = ("to_whole", "to_converged", "whole_after_lease", "converged_after_lease")


def main(
    runs: Annotated[int, typer.Option(min=1, help="How many deaths.")] = 20,
    places: Annotated[int, typer.Option(min=1, max=8, help="How many applications change at a time.")] = 2,
    seed: Annotated[int | None, typer.Option(help="Decides who dies when; printed, another one each time.")] = None,
    only: Annotated[list[Victim] | None, typer.Option(help="This victim alone; may be repeated.")] = None,
    with_dockerd: Annotated[bool, typer.Option(help="Kill the engine too, which Headway must start.")] = False,
    zombies: Annotated[int, typer.Option(min=0, help="How many processes sleep through their lease.")] = 1,
    add: Annotated[bool, typer.Option(help="Add to what was kept of an earlier series.")] = False,
) -> None:
    """Kill what carries changes on a platform of its own, and look whether everything is whole again."""
    end_by_signal()
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    console.print(f"seed {seed}")
    earlier, now = kept_before() if add else Found(), Found()
    try:
        with chaos_platform(places) as made, traffic_on([town.port for town in made.towns]) as traffic:
            with leases_watched(made) as leases:
                now.series.append({**stamp(), "seed": seed, "places": places})
                chaos = Chaos(made, traffic, leases)
                chaos.calm_round()  # the first one of a platform takes longer
                console.print(f"a change with nobody dying: {chaos.calm_round():.1f} s")
                kills = plan(seed, runs, chosen(only, victims(made, with_dockerd)))
                for group in rounds(kills, places):
                    now.runs += carry_out(chaos, group, len(now.runs), runs)
                for _ in range(zombies):
                    now.zombies.append(wake_a_zombie(made, made.towns[0]))
                    console.print(str(now.zombies[-1]), markup=False)
    except HeadwayError as error:
        console.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(error.exit_code) from None
    finally:
        report(earlier.plus(now))
    if any(not result.is_good for result in now.runs) or any(not one.was_refused for one in now.zombies):
        raise typer.Exit(1)


def carry_out(chaos: Chaos, group: Sequence[Kill], before: int, runs: int) -> list[Result]:
    """Carry out one round, printing what each death led to; what is not whole then is brought up again."""
    results = chaos.round(group)
    for number, result in enumerate(results, start=before + 1):
        console.print(f"{number}/{runs} {result}", style="" if result.is_good else "red", markup=False)
    if not all(result.has_converged for result in results):
        chaos.platform.headway("up")
        chaos.calm_round()
    return results


def victims(made: ChaosPlatform, with_dockerd: bool) -> list[Victim]:
    """Return what is there to be killed; Misconfigured when the engine shall be and is not this platform's."""
    found = [Victim.FLOW, Victim.RECOVERY, Victim.ROUTER]
    found += [one for one in (Victim.WORKER, Victim.SERVER, Victim.KEEPER) if one in living_daemons(made)]
    if with_dockerd and not daemon_of(made, Victim.ENGINE).process():
        raise Misconfigured(
            "--with-dockerd", "the engine was not started by this platform", next_step="stop it, so that Headway does"
        )
    return [*found, Victim.ENGINE] if with_dockerd else found


def chosen(only: Sequence[Victim] | None, there: Sequence[Victim]) -> list[Victim]:
    """Return those of `there` that were asked for; Misconfigured when one is not there."""
    for victim in only or ():
        if victim not in there:
            raise Misconfigured("--only", f"{victim} is not there to be killed", ", ".join(there))
    return [victim for victim in there if not only or victim in only]


@dataclass
class Found:
    """What came of one series of deaths, or of several; `series` says when and how each was measured."""

    series: list[dict[str, Any]] = field(default_factory=list)
    runs: list[Result] = field(default_factory=list)
    zombies: list[Awakening] = field(default_factory=list)

    def plus(self, later: "Found") -> "Found":
        """Return both together."""
        return Found(self.series + later.series, self.runs + later.runs, self.zombies + later.zombies)


def kept_before() -> Found:
    """Return what was kept, nothing when there is no such file."""
    kept = read(FILE)
    if not kept:
        return Found()
    return Found(kept["series"], [Result(**run) for run in kept["runs"]], [Awakening(**one) for one in kept["zombies"]])


def report(found: Found) -> None:
    """Print and keep what was measured, also when not everything could be."""
    killed = [result for result in found.runs if not result.missed]
    if not killed:
        return
    shown, summary = {name: figures(own) for name, own in by_victim(killed).items()}, summary_of(killed)
    console.print(table(shown))
    console.print("  ".join(f"{name} {value}" for name, value in summary.items()), markup=False)
    kept = {
        "series": found.series,
        "summary": summary,
        "figures": shown,
        "zombies": [asdict(one) for one in found.zombies],
        "runs": [asdict(result) for result in found.runs],
    }
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(scrubbed(json.dumps(kept, indent=1, ensure_ascii=False)) + "\n")


def by_victim(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Return the results of each victim, and of all."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.victim, []).append(result)
    return {**dict(sorted(found.items())), "all": list(results)}


def summary_of(results: Sequence[Result]) -> dict[str, int]:
    """Return how often something was not as it has to be."""
    return {
        "deaths": len(results),
        "not converged": sum(not result.has_converged for result in results),
        "mixed ends": sum(result.is_mixed for result in results),
        "leaks": sum(len(result.leaks) for result in results),
        "stuck leases": sum(result.stuck_lease for result in results),
        "requests": sum(result.requests for result in results),
        "failed requests": sum(sum(result.failures.values()) for result in results),
        f"gaps over {UNSERVED_MS} ms": sum(result.gap_ms > UNSERVED_MS for result in results),
    }


def figures(results: Sequence[Result]) -> dict[str, Any]:
    """Return median, 95th percentile and maximum of each time, in seconds, and of the gaps, in milliseconds."""
    found: dict[str, Any] = {"runs": len(results)}
    for name in (*TIMES, "gap_ms"):
        values = sorted(value for result in results if (value := getattr(result, name)) is not None)
        if values:
            found[name] = {
                "n": len(values),
                "p50": statistics.median_low(values),
                "p95": values[min(len(values) - 1, int(0.95 * len(values)))],
                "max": values[-1],
            }
    return found


def table(shown: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return one row for each victim's figures: median / 95th percentile / maximum."""
    made = Table(*COLUMNS, title="seconds, median / 95 % / maximum", header_style="bold")
    for name, found in shown.items():
        cells = [_cell(found.get(time)) for time in TIMES]
        made.add_row(name, str(found["runs"]), *cells, _cell(found.get("gap_ms"), unit=" ms", digits=0))
    return made


def scrubbed(text: str) -> str:
    """Return `text` without the folders of the machine it was made on."""
    text = re.sub(r"[^\s\"'=]*/headway-chaos-\w+/home", "HOME", text)
    text = text.replace(str(ROOT), ".").replace(sys.prefix, "VENV")
    return re.sub(r"/[\w/.-]*/(?=site-packages)", "", text)


def _cell(found: dict[str, float] | None, *, unit: str = "", digits: int = 1) -> str:
    if not found:
        return "–"
    return " / ".join(f"{found[name]:.{digits}f}" for name in ("p50", "p95", "max")) + unit


if __name__ == "__main__":
    typer.run(main)

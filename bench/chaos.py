"""Kill anything at any moment of a change, again and again: `python -m bench.chaos --runs 200 --places 4`.

See docs/benchmarks.md for what is killed, what has to be true afterwards, and what each figure means.
"""

import json
import os
import platform
import random
import re
import signal
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.table import Table

from bench.chaos_check import living_daemons
from bench.chaos_kill import daemon_of
from bench.chaos_plan import Kill, Victim, plan, rounds
from bench.chaos_platform import ChaosPlatform, chaos_platform
from bench.chaos_run import Chaos, Result
from bench.chaos_watch import leases_watched, traffic_on
from bench.chaos_zombie import Awakening, wake_a_zombie
from cli.output import console
from delivery.errors import HeadwayError, Misconfigured
from delivery.platform.engine import engine_version

RESULTS = Path(__file__).parent / "results" / "chaos.json"
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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the platform is removed
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    console.print(f"seed {seed}")
    done: list[Result] = []
    awakenings: list[Awakening] = []
    try:
        with chaos_platform(places) as made, traffic_on([town.port for town in made.towns]) as traffic:
            with leases_watched(made) as leases:
                chaos = Chaos(made, traffic, leases)
                chaos.calm_round()  # the first one of a platform takes longer
                console.print(f"a change with nobody dying: {chaos.calm_round():.1f} s")
                kills = plan(seed, runs, chosen(only, victims(made, with_dockerd)))
                for group in rounds(kills, places):
                    done += carry_out(chaos, group, len(done), runs)
                for _ in range(zombies):
                    awakenings.append(wake_a_zombie(made, made.towns[0]))
                    console.print(str(awakenings[-1]), markup=False)
    except HeadwayError as error:
        console.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(error.exit_code) from None
    finally:
        earlier = kept_before() if add else Kept()
        report([*earlier.runs, *done], [*earlier.zombies, *awakenings], [*earlier.seeds, seed], places)
    if any(not result.is_good for result in done) or any(not one.was_refused for one in awakenings):
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


class Kept(NamedTuple):
    """What was kept of earlier series."""

    runs: Sequence[Result] = ()
    zombies: Sequence[Awakening] = ()
    seeds: Sequence[int] = ()


def kept_before() -> Kept:
    """Return what was kept, nothing when there is no such file."""
    if not RESULTS.exists():
        return Kept()
    kept = json.loads(RESULTS.read_text())
    return Kept([Result(**run) for run in kept["runs"]], [Awakening(**one) for one in kept["zombies"]], kept["seeds"])


def report(done: Sequence[Result], awakenings: Sequence[Awakening], seeds: Sequence[int], places: int) -> None:
    """Print and keep what was measured, also when not everything could be."""
    killed = [result for result in done if not result.missed]
    if not killed:
        return
    found = {name: figures(own) for name, own in by_victim(killed).items()}
    console.print(table(found))
    summary = summary_of(killed)
    console.print("  ".join(f"{name} {value}" for name, value in summary.items()), markup=False)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "engine": engine_version()}
    kept = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "seeds": list(seeds),
        "places": places,
        "summary": summary,
        "figures": found,
        "zombies": [asdict(one) for one in awakenings],
        "runs": [asdict(result) for result in done],
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(scrubbed(json.dumps(kept, indent=1, ensure_ascii=False)) + "\n")


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

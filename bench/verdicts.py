"""How good verdicts are on simulated traffic of releases known to be good or bad: `python -m bench.verdicts`.

See docs/benchmarks.md for what each figure means.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from bench.judges import ONCE, WATCHING, Judge
from bench.traces import INTERVALS, Scenario, Trace, simulate
from cli.output import console
from delivery.ports.observation import Verdict

RESULTS = Path(__file__).parent / "results" / "verdicts.json"
SEED = 7
SCENARIOS = (
    Scenario("no errors", good=True),
    Scenario("0.5 % errors in both", good=True, live_errors=0.005, baseline_errors=0.005),
    Scenario("outage of both", good=True, outage=0.5),
    Scenario("2 s requests in both", good=True, slow_requests=0.05),
    Scenario("twice as slow", good=True, slowdown=2),
    Scenario("+2 % errors", good=False, live_errors=0.02),
    Scenario("+5 % errors", good=False, live_errors=0.05),
    Scenario("+20 % errors", good=False, live_errors=0.2),
    Scenario("all fail", good=False, live_errors=1),
    Scenario("0.5 % errors, +2 %", good=False, live_errors=0.025, baseline_errors=0.005),
    Scenario("0.5 % errors, +5 %", good=False, live_errors=0.055, baseline_errors=0.005),
    Scenario("five times as slow", good=False, slowdown=5),
)


@dataclass(frozen=True)
class Setting:
    """How much traffic, and how it is looked at."""

    requests: int
    share: float
    looks: int = 1

    def __str__(self) -> str:
        looks = f", {self.looks} looks" if self.looks > 1 else ""
        return f"{self.requests} requests at {self.share:.0%}{looks}"


SETTINGS = (
    *(Setting(requests, share) for requests in (50, 200, 1000) for share in (0.1, 0.5)),
    Setting(200, 0.1, looks=INTERVALS),
)


@dataclass(frozen=True)
class Outcome:
    """What one way to judge made of one scenario, as shares of all watches."""

    scenario: str
    good: bool
    setting: Setting
    judge: str
    promoted: float
    withdrawn: float
    inconclusive: float

    @property
    def wrong(self) -> float:
        """Good releases that were withdrawn, or bad ones that were promoted."""
        return self.withdrawn if self.good else self.promoted


def main(
    traces: Annotated[int, typer.Option(min=1, help="Watches of each scenario and amount of traffic.")] = 2000,
) -> None:
    """Measure how often verdicts are wrong."""
    outcomes = []
    for setting in SETTINGS:
        console.print(f"{setting} …", markup=False)
        outcomes += [outcome for scenario in SCENARIOS for outcome in measure(scenario, setting, traces)]
    for setting in SETTINGS:
        console.print(table(setting, outcomes))
    RESULTS.write_text(json.dumps(as_data(outcomes, traces), indent=1, ensure_ascii=False) + "\n")


def measure(scenario: Scenario, setting: Setting, traces: int) -> list[Outcome]:
    """Return the outcome for each way to judge, all over the same watches; the same each time it is called."""
    random = np.random.default_rng([SEED, SCENARIOS.index(scenario), SETTINGS.index(setting)])
    judges = WATCHING if setting.looks > 1 else ONCE
    verdicts: Mapping[str, Counter[Verdict]] = {name: Counter() for name in judges}
    for _ in range(traces):
        trace = simulate(scenario, setting.requests, setting.share, random)
        for name, verdict in verdicts_over(trace, judges, setting.looks).items():
            verdicts[name][verdict] += 1
    return [
        Outcome(
            scenario=scenario.name,
            good=scenario.good,
            setting=setting,
            judge=name,
            promoted=counted["healthy"] / traces,
            withdrawn=counted["unhealthy"] / traces,
            inconclusive=counted["inconclusive"] / traces,
        )
        for name, counted in verdicts.items()
    ]


def verdicts_over(trace: Trace, judges: Mapping[str, Judge], looks: int) -> dict[str, Verdict]:
    """Return the verdict of each at the last look, or at the first that finds the release unhealthy."""
    verdicts: dict[str, Verdict] = {}
    for look in trace.looks(every=INTERVALS // looks):
        for name, judge in judges.items():
            if verdicts.get(name) != "unhealthy":
                verdicts[name] = judge(look)
        if set(verdicts.values()) == {"unhealthy"}:
            break
    return verdicts


def table(setting: Setting, outcomes: list[Outcome]) -> Table:
    """Return, for each scenario, how often each way to judge is wrong and how often it cannot tell."""
    made = Table("scenario", "wrong is", *ONCE, title=str(setting), header_style="bold")
    for scenario in SCENARIOS:
        mine = [one for one in outcomes if one.setting == setting and one.scenario == scenario.name]
        made.add_row(scenario.name, "withdrawn" if scenario.good else "promoted", *(figures(one) for one in mine))
    return made


def figures(outcome: Outcome) -> str:
    """Return the share that was wrong, and that could not be told when there is one."""
    told = f"{100 * outcome.wrong:.1f} %"
    return f"{told} ({100 * outcome.inconclusive:.1f} % ?)" if outcome.inconclusive else told


def as_data(outcomes: list[Outcome], traces: int) -> dict[str, object]:
    """Return what is kept."""
    rows = [
        {
            "scenario": one.scenario,
            "good": one.good,
            "requests": one.setting.requests,
            "share": one.setting.share,
            "looks": one.setting.looks,
            "judge": one.judge,
            "promoted": one.promoted,
            "withdrawn": one.withdrawn,
            "inconclusive": one.inconclusive,
        }
        for one in outcomes
    ]
    return {"seed": SEED, "traces": traces, "outcomes": rows}


if __name__ == "__main__":
    typer.run(main)

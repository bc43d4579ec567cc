"""Releases that are at fault, under load, again and again: `python -m bench.faults --times 10`.

See docs/benchmarks.md for what each figure means.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from docker.models.containers import Container

from bench.ending import Ending
from bench.fault_tables import report
from bench.keeping import end_by_signal
from bench.place import INSTANCES, Site, new_site
from bench.trials import FAULTS, Fault, Shares, Side, Trial, run_trial
from bench.weights import Weights
from cli.output import console
from delivery.errors import HeadwayError
from delivery.platform.engine import ensure_engine
from delivery.releases.release import Release

MOST_LINES = 10


def main(
    times: Annotated[int, typer.Option(min=1, help="How often each fault.")] = 10,
    only: Annotated[list[str] | None, typer.Option(help="Faults whose name has this in it; may be repeated.")] = None,
) -> None:
    """Release what is at fault under load on a platform of its own."""
    end_by_signal()
    ensure_engine()
    try:
        with new_site(console.print) as site:
            measure(Headway(site), chosen(only), times)
    except HeadwayError as error:
        console.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(error.exit_code) from None


def chosen(only: list[str] | None) -> list[Fault]:
    """Return the faults that were asked for, all when none was."""
    return [fault for fault in FAULTS if not only or any(part in fault.name for part in only)]


def measure(side: Side, faults: list[Fault], times: int) -> None:
    """Try every fault `times` times and report, also when not everything could be tried."""
    found: dict[str, list[Trial]] = {}
    live = _put_good(side, 0)
    try:
        for fault in faults:
            if side.instances < fault.instances:
                continue
            for _ in range(times):
                number = 1 - live if fault.kind == "good" else 2 + FAULTS.index(fault)
                trial = run_trial(side, fault, side.prepare(fault.kind, number), live=live, number=number)
                found.setdefault(fault.name, []).append(trial)
                console.print(f"{side.name}, {fault.name}: {trial.outcome} {trial.reason}", markup=False)
                for line in trial.failures[: MOST_LINES if side.has_verdict else 0]:
                    console.print(f"  {line}", markup=False)
                if fault.kind == "good" and trial.outcome == "live":
                    live = number
                elif trial.outcome == "live":
                    live = _put_good(side, 1 - live)
    finally:
        report(side.name, found)


def _put_good(side: Side, number: int) -> int:
    ending = side.put_live(side.prepare("good", number))
    if not ending.went_live:
        raise RuntimeError(f"{side.name}: a good release ended {ending.outcome}: {ending.reason}")
    return number


class Headway:
    """Headway as one side of the comparison."""

    name = "Headway"
    instances = INSTANCES
    has_verdict = True

    def __init__(self, site: Site) -> None:
        self.site = site

    @property
    def url(self) -> str:
        """Where the router listens."""
        return self.site.url

    def prepare(self, kind: str, number: int) -> Release:
        """Return a release that was never released before."""
        return self.site.release(kind, number)

    def put_live(self, release: Release) -> Ending:
        """Release it by the real flow."""
        return self.site.put_live(release)

    def containers(self, release: Release) -> list[Container]:
        """Return the containers of a release."""
        return self.site.containers(release)

    def things(self) -> set[str]:
        """Return the names of everything the application has on the engine."""
        return self.site.things()

    @contextmanager
    def shares(self) -> Iterator[Shares]:
        """Watch the weights of the slot the next release will stand in."""
        colour = "green" if self.site.live_colour() == "blue" else "blue"
        with self.site.weights() as weights:
            yield WeightShares(weights, colour)


class WeightShares:
    """The share of one slot, by the router's weights."""

    def __init__(self, weights: Weights, colour: str) -> None:
        self.weights, self.colour = weights, colour

    def now(self) -> float:
        """Return percent."""
        return self.weights.share(self.colour)

    def began(self) -> float | None:
        """Return when it got any."""
        return self.weights.since(self.colour, 0.1)

    def ended(self) -> float | None:
        """Return when it had none any more, for good."""
        return self.weights.gone_at(self.colour)


if __name__ == "__main__":
    typer.run(main)

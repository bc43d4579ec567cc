"""Pictures of a run as SVG text that stands by itself."""

import io
import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from delivery.report.record import DeliveryRecord, ReleaseFigures, StepTime
from delivery.report.timeline import critical_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PHASES = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#bbbbbb", "#999933")
CRITICAL = "#cc3311"
SHORTEST_SHARE = 0.002  # shorter steps would not be seen
ROW_INCHES = 0.2


def timeline_svg(record: DeliveryRecord) -> str:
    """Return every step as a bar over time, coloured by phase, those of the critical path outlined."""
    steps = sorted(record.steps, key=lambda step: (step.started, step.ended))
    figure = new_figure(9.5, 0.9 + ROW_INCHES * len(steps))
    axes = figure.subplots()
    critical = {id(step) for step in critical_path(steps)}
    phases = list(dict.fromkeys(step.phase for step in steps))
    least = SHORTEST_SHARE * record.seconds
    first = {step.phase: row for row, step in reversed(list(enumerate(steps)))}
    for row, step in enumerate(steps):
        on_path = id(step) in critical
        axes.barh(
            row,
            max(step.seconds, least),
            left=_since(record.started, step.started),
            color=PHASES[phases.index(step.phase) % len(PHASES)],
            edgecolor=CRITICAL if on_path else "none",
            linewidth=1.4 if on_path else 0,
            label=step.phase if first[step.phase] == row else None,
            hatch="//" if step.outcome != "done" else None,
        )
    axes.set_yticks(range(len(steps)), [_label(step) for step in steps], fontsize=7)
    axes.set_ylim(len(steps) - 0.4, -0.6)
    axes.set_xlabel("seconds; outlined: the critical path; hatched: failed or interrupted")
    axes.grid(axis="x", linewidth=0.3)
    axes.legend(fontsize=7, loc="lower left", ncols=2)
    return as_svg(figure)


def traffic_svg(release: ReleaseFigures, started: datetime) -> str:
    """Return weight, requests and failures of both slots over the release."""
    samples = [sample for seen in release.observations for sample in seen.samples]
    times = [_since(started, sample.at) for sample in samples]
    figure = new_figure(9.5, 3.6)
    weight, requests = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    weight.step(times, [sample.percent for sample in samples], where="post", color=PHASES[0])
    weight.set_ylabel("new slot, %")
    weight.set_ylim(-5, 105)
    for label, values, colour in (
        ("new: requests", [sample.live_requests for sample in samples], PHASES[2]),
        ("old: requests", [sample.baseline_requests for sample in samples], PHASES[6]),
        ("new: failures", [sample.live_errors for sample in samples], CRITICAL),
        ("old: failures", [sample.baseline_errors for sample in samples], PHASES[5]),
    ):
        requests.plot(times, values, label=label, color=colour, linewidth=1)
    requests.set_ylabel("per look")
    requests.set_xlabel("seconds since the run began")
    requests.legend(fontsize=7, ncols=4)
    for axes in (weight, requests):
        axes.grid(linewidth=0.3)
    return as_svg(figure)


def _label(step: StepTime) -> str:
    again = f" ×{step.attempts}" if step.attempts > 1 else ""
    return f"{step.name}{again}  {step.seconds:.1f} s"


def _since(started: datetime, moment: datetime) -> float:
    return (moment - started).total_seconds()


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty picture, in inches, that comes out the same from run to run."""
    import matplotlib  # a second to import, and only needed here
    from matplotlib.figure import Figure

    # Names as text, so that they can be searched, and as they are; ids that do not change from run to run.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "headway", "font.family": "sans-serif"})
    matplotlib.rcParams.update({"text.parse_math": False, "date.converter": "concise"})
    return Figure(figsize=(width, height), layout="constrained")


def as_svg(figure: "Figure") -> str:
    """Return a picture as an SVG element."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _only_svg(buffer.getvalue().splitlines())


def _only_svg(lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)

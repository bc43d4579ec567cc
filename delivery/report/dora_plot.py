"""DORA's figures over time, as SVG text that stands by itself."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from delivery.report.dora import DAY_SECONDS, Deployment, Figures
from delivery.report.plots import as_svg, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GOOD, FAILED, LEAD = "#228833", "#cc3311", "#4477aa"
BARS = 28  # at most; of a longer time each is more than a day
HOUR_SECONDS = 3600


def figures_svg(told: Sequence[tuple[Figures, Sequence[Deployment]]]) -> str:
    """Return, for each environment, deployments over time with those that failed, and the lead time of each."""
    figure = new_figure(9.5, 3.6 * max(1, len(told)))
    parts = figure.subplots(2 * len(told), 1, squeeze=False)
    for number, (figures, deployments) in enumerate(told):
        upper, lower = parts[2 * number][0], parts[2 * number + 1][0]
        _draw_counts(upper, figures, deployments)
        _draw_lead_times(lower, figures, deployments)
    return as_svg(figure)


def _draw_counts(axes: "Axes", figures: Figures, deployments: Sequence[Deployment]) -> None:
    width = (figures.until - figures.since) / BARS
    width = max(width, timedelta(days=1))
    good: Counter[int] = Counter()
    failed: Counter[int] = Counter()
    for one in deployments:
        (failed if one.failed else good)[int((one.ended - figures.since) / width)] += 1
    bins = sorted({*good, *failed})
    middle = cast(Any, [figures.since + width * (number + 0.5) for number in bins])
    days = 0.9 * width.total_seconds() / DAY_SECONDS
    below = [good[number] for number in bins]
    axes.bar(middle, below, width=days, color=GOOD, label="good")
    axes.bar(middle, [failed[number] for number in bins], width=days, bottom=below, color=FAILED, label="failed")
    axes.set_title(f"{figures.app} {figures.environment}: {counted_words(figures)}", fontsize=9, loc="left")
    axes.set_ylabel("deployments")
    most = max((good[number] + failed[number] for number in bins), default=1)
    axes.set_yticks(range(0, most + 1, max(1, most // 4)))
    axes.legend(fontsize=7, ncols=2)
    _over(axes, figures.since, figures.until)


def _draw_lead_times(axes: "Axes", figures: Figures, deployments: Sequence[Deployment]) -> None:
    live = [one for one in deployments if one.lead_seconds is not None]
    hours = [(one.lead_seconds or 0.0) / HOUR_SECONDS for one in live]
    axes.scatter(cast(Any, [one.ended for one in live]), hours, s=20, color=LEAD, zorder=3)
    if figures.lead_seconds is not None:
        axes.axhline(figures.lead_seconds / HOUR_SECONDS, color=LEAD, linewidth=1, linestyle="--", label="median")
        axes.legend(fontsize=7)
    axes.set_ylabel("lead time, h")
    axes.set_ylim(bottom=0)
    _over(axes, figures.since, figures.until)


def _over(axes: "Axes", since: datetime, until: datetime) -> None:
    axes.set_xlim(*cast(Any, (since, until)))
    axes.grid(linewidth=0.3)


def counted_words(figures: Figures) -> str:
    """Return the five figures in one line."""
    return ", ".join(f"{name} {value}" for name, value in worded(figures))


def worded(figures: Figures) -> list[tuple[str, str]]:
    """Return name and value of each figure as people read them; a value that is not known is a dash."""
    return [
        ("deployment frequency", f"{figures.per_day:.2f} a day"),
        ("change lead time", in_words(figures.lead_seconds)),
        ("change fail rate", _percent(figures.change_fail_rate)),
        ("failed deployment recovery time", in_words(figures.recovery_seconds)),
        ("deployment rework rate", _percent(figures.rework_rate)),
    ]


def in_words(seconds: float | None) -> str:
    """Return `3.5 h`, in the largest unit of which there is one."""
    if seconds is None:
        return "-"
    units = ((DAY_SECONDS, "d"), (HOUR_SECONDS, "h"), (60, "min"))
    for size, name in units:
        if seconds >= size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} s"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"

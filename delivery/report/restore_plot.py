"""RPO and RTO of an environment's restores over time, as SVG text that stands by itself."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from delivery.changes.restores import RestoreKind, in_seconds
from delivery.report.plots import as_svg, new_figure
from delivery.report.record import RestoreFigures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"pass": "#228833", "fail": "#cc3311", "broken": "#cc3311", "unknown": "#888888"}
MEANINGS = {"#228833": "pass", "#cc3311": "fail or broken", "#888888": "unknown"}
MARKERS: dict[RestoreKind, str] = {"proof": "o", "drill": "s", "drill in a second place": "D", "restore": "^"}
LIMIT = "#222222"
BESIDE = timedelta(hours=12)  # of a lone restore too there is a day


def restores_svg(figures: RestoreFigures) -> str:
    """Return each restore by its time: green a pass, red a failure, grey unknown; limits as lines.

    One of which a figure is not known stands as a cross at zero: it came to an end before it could be measured.
    """
    figure = new_figure(9.5, 3.8)
    upper, lower = figure.subplots(2, 1, sharex=True)
    _draw(upper, figures, "RPO, s", [one.rpo_seconds for one in figures.restores], figures.rpo_limit)
    _draw(lower, figures, "RTO, s", [one.rto_seconds for one in figures.restores], figures.rto_limit)
    _explain(upper, figures)
    return as_svg(figure)


def _draw(axes: "Axes", figures: RestoreFigures, label: str, values: list[float | None], limit: float | None) -> None:
    for record, value in zip(figures.restores, values, strict=True):
        if value is not None or record.outcome != "pass":
            marker = MARKERS[record.kind] if value is not None else "x"
            axes.scatter(
                cast(Any, [record.at]), [value or 0.0], s=26, marker=marker, color=COLOURS[record.outcome], zorder=3
            )
    if limit is not None:
        axes.axhline(limit, color=LIMIT, linewidth=1, linestyle="--")
        axes.annotate(
            f"at most {in_seconds(limit)}", (0, limit), xycoords=("axes fraction", "data"), fontsize=7,
            xytext=(3, 2), textcoords="offset points",
        )  # fmt: skip
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0, top=1.15 * max([*(one for one in values if one is not None), limit or 0.0]) or 1.0)
    moments = [one.at for one in figures.restores]
    axes.set_xlim(*cast(Any, (min(moments) - BESIDE, max(moments) + BESIDE)))
    axes.grid(linewidth=0.3)


def _explain(axes: "Axes", figures: RestoreFigures) -> None:
    from matplotlib.lines import Line2D

    kinds = {one.kind for one in figures.restores}
    found = {COLOURS[one.outcome] for one in figures.restores}
    shapes = [Line2D([], [], linestyle="", marker=MARKERS[kind], color="#bbbbbb", label=kind) for kind in sorted(kinds)]
    colours = [
        Line2D([], [], linestyle="", marker="o", color=colour, label=meaning)
        for colour, meaning in MEANINGS.items()
        if colour in found
    ]
    axes.legend(handles=[*colours, *shapes], fontsize=7, ncols=7, loc="lower left", bbox_to_anchor=(0, 1))

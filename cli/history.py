"""`headway history` and `headway figures`: what was live when, and how well that goes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli.output import AsJson, print_model, print_table, say, write_text
from cli.project import AppName, ProjectFolder, choose_app
from cli.session import running
from cli.shown import FiguresShown
from delivery.counting import counted

MOST_DAYS = 3660
SUBJECT = 40  # letters
Environment = Annotated[str | None, typer.Argument(help="The environment; none: every one of the application.")]


def history(
    environment: Environment = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Only so many, the newest.")] = 20,
    app: AppName = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show what was live when, from whom, and how it ended; the newest first."""
    running()
    from flows.history import history as past

    rows = past(choose_app(app, project), environment, count)
    if as_json:
        print_model(rows)
        return
    if not rows:
        say("nothing was ever released there")
        return
    for row in rows:
        who = f", asked for by {row.requested_by}" * bool(row.requested_by)
        who += f", let in by {row.let_in_by}" * bool(row.let_in_by)
        say(f"{row.at:%Y-%m-%d %H:%M} UTC  {row.environment}: {row.happening} {row.release}")
        say(f"    {row.revision} {row.subject[:SUBJECT]} ({row.author}); run {row.run[:8]}{who}")
        say(f"    {row.ended}{f' at {row.until:%Y-%m-%d %H:%M} UTC' if row.until else ''}")
        if row.bad:
            say(f"    bad: {row.bad}", "red")


def figures(
    environment: Environment = None,
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="Over the last so many days.")] = 90,
    plot: Annotated[Path | None, typer.Option(help="Write a picture there, as SVG.")] = None,
    app: AppName = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show DORA's five figures: deployment frequency, lead time, fail rate, recovery time and rework rate."""
    running()
    from delivery.report.dora_plot import worded
    from flows.history import figures as figures_of

    now = datetime.now(UTC)
    found = figures_of(choose_app(app, project), environment, now - timedelta(days=days), now)
    if plot is not None:
        from delivery.report.dora_plot import figures_svg

        write_text(plot, figures_svg(found))
    if as_json:
        print_model([FiguresShown(figures=one, deployments=tuple(made)) for one, made in found])
        return
    names = [name for name, _ in worded(found[0][0])] if found else []
    rows = [(name, *(dict(worded(one))[name] for one, _ in found)) for name in names]
    print_table([f"last {counted(days, 'day')}", *(one.environment for one, _ in found)], rows)
    for one, _ in found:
        back = f", {counted(one.rollbacks, 'rollback')}" if one.rollbacks else ""
        open_ones = f", {one.not_recovered} not recovered from" if one.not_recovered else ""
        say(f"{one.environment}: {counted(one.deployments, 'deployment')}, {one.failed} failed{open_ones}{back}")
    if plot is not None:
        say(f"picture: {plot}")

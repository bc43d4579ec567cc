"""The report as one page that needs nothing else."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from delivery.counting import counted
from delivery.report.record import DeliveryRecord
from delivery.report.timeline import critical_path

FEWEST_STEPS = 4  # a picture of fewer tells nothing


def report_html(record: DeliveryRecord) -> str:
    """Return the page: what was delivered, its steps and traffic as pictures, tests, scans, approvals, backups."""
    from delivery.report.plots import timeline_svg, traffic_svg
    from delivery.report.restore_plot import restores_svg

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    seen = [release for release in record.releases if any(one.samples for one in release.observations)]
    return environment.get_template("report.html.j2").render(
        r=record,
        counted=counted,
        timeline=timeline_svg(record) if len(record.steps) >= FEWEST_STEPS else "",
        restores=[(figures, restores_svg(figures)) for figures in record.restores],
        traffic=[(release, traffic_svg(release, record.started)) for release in seen],
        work=sum(step.seconds for step in record.steps),
        path=sum(step.seconds for step in critical_path(record.steps)),
    )

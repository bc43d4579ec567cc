"""The picture of DORA's figures names them, and every environment it is of."""

from delivery.report.dora_plot import figures_svg, in_words, worded
from tests.delivery.report.test_dora import Written, march, on, release

__all__ = ["march"]  # a fixture


def test_the_picture_has_every_environment_with_its_figures(march) -> None:
    written, bad = march
    picture = figures_svg([written.figures(bad), Written().figures()])
    assert picture.startswith("<svg")
    assert (
        "shop production: deployment frequency 0.25 a day, change lead time 3.5 h, change fail rate 42.9 %" in picture
    )
    assert "failed deployment recovery time 2.2 h, deployment rework rate 50.0 %" in picture
    assert picture.count("lead time, h") == 2


def test_what_is_not_known_is_a_dash_and_no_zero() -> None:
    assert [value for _, value in worded(Written().figures()[0])] == ["0.00 a day", "-", "-", "-", "-"]


def test_times_are_told_in_the_largest_unit_there_is_one_of() -> None:
    assert [in_words(seconds) for seconds in (59, 90, 5400, 129600)] == ["59 s", "1.5 min", "1.5 h", "1.5 d"]


def test_a_deployment_of_the_last_moment_is_in_the_picture() -> None:
    written = Written()
    written.change(on(28, 23, 59), "released", release(1, on(28, 8)))
    assert "<svg" in figures_svg([written.figures()])

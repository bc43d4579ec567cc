"""A check asks one question, and an answer that is not the wanted one is no pass."""

import pytest
from pydantic import ValidationError

from delivery.spec.answer import Answer
from delivery.spec.checks import Check, HttpCheck
from delivery.spec.matrix import expand
from tests.delivery.values import make_app


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(status=200, body=b"all is well"), ""),
        (Answer(status=200, body=b"all is bad"), "GET /status does not contain 'well'"),
        (Answer(status=200, body=b"\xff\xfe"), "GET /status does not contain 'well'"),
        (Answer(status=503, body=b"well"), "GET /status answers 503, not 200"),
        (Answer(status=204), "GET /status answers 204, not 200"),
        (Answer(), "GET /status is not answered"),
        (Answer(timed_out=True), "GET /status is not answered in time"),
    ],
)
def test_only_the_wanted_answer_passes(answer: Answer, problem: str) -> None:
    assert HttpCheck(path="/status", contains="well").problem_of(answer) == problem


def test_another_status_may_be_the_wanted_one() -> None:
    check = HttpCheck(path="/old", status=301)
    assert check.problem_of(Answer(status=301)) == ""
    assert check.problem_of(Answer(status=200)) == "GET /old answers 200, not 301"


@pytest.mark.parametrize(
    ("questions", "found"),
    [
        ({}, "none of them"),
        ({"suite": "smoke", "http": {"path": "/"}}, "suite and http"),
        ({"suite": "smoke", "command": {"image": "curl"}, "http": {"path": "/"}}, "suite and command and http"),
    ],
)
def test_a_check_asks_exactly_one_question(questions: dict[str, object], found: str) -> None:
    with pytest.raises(ValidationError, match=rf"needs exactly one of suite, command, http \(found {found}\)"):
        Check.model_validate({"at": "after"} | questions)


def test_a_suite_that_checks_releases_runs_only_there() -> None:
    production = {"target": {"kind": "memory"}, "checks": [{"at": "before", "suite": "smoke"}]}
    app = make_app(
        suites={"unit": {"image": "web"}, "smoke": {"image": "web"}}, environments={"production": production}
    )
    assert [cell.suite for cell in expand(app)] == ["unit"]

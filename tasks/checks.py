"""Ask a release whether it is good, before, while and after it gets its traffic."""

import time

from delivery.errors import Rejected, ReleaseUnhealthy
from delivery.home import Home
from delivery.releases.order import Built, Order
from delivery.releases.release import Release
from delivery.spec.checks import Check, CheckResult, CommandCheck, HttpCheck
from delivery.testing.checks import run_command
from delivery.testing.judging import check_tests
from tasks.environment import open_environment, open_target
from tasks.notes import note
from tasks.step import log, step
from tasks.tests import keep_files, run_suite


@step(timeout_seconds=7200, name="check {environment} {check.at}: {check.label}", keep=False)
def run_check(order: Order, built: Built | None, environment: str, release: Release, check: Check) -> CheckResult:
    """Return when the check passed.

    Raises Rejected when it did not and the release had no traffic yet, ReleaseUnhealthy when it had.
    """
    began = time.monotonic()
    try:
        problem = _problem(order, built, environment, release, check)
    except Rejected as refusal:  # what cannot be run has not passed
        problem = str(refusal)
    fields = {"environment": environment, "label": check.label, "at": check.at, "problem": problem}
    result = CheckResult.model_validate(fields | {"seconds": round(time.monotonic() - began, 3)})
    note(order.run, "checks", f"{environment} {check.at}", result)
    if not result.passed:
        error = Rejected if check.at == "before" else ReleaseUnhealthy
        raise error(f"{environment}: the check of release {release.fingerprint} {check.moment} failed: {problem}")
    log().info("%s passed in %.1f s", check.label, result.seconds)
    return result


def _problem(order: Order, built: Built | None, environment: str, release: Release, check: Check) -> str:
    # With all traffic it is reached as users reach it; before, by the entry that leads to its slot alone.
    alone = release if check.at != "after" else None
    if check.http:
        return _ask(order, environment, release, alone, check.http)
    with open_target(order.app, environment) as target:
        address = target.address(alone)
    if check.command:
        return _run(order, environment, release, check.command, address)
    return _run_suite(order, built, environment, check, address)


def _ask(order: Order, environment: str, release: Release, alone: Release | None, check: HttpCheck) -> str:
    with open_target(order.app, environment) as target:
        answers = target.ask(check.path, release if check.service else alone, check.service)
    problems = [problem for answer in answers if (problem := check.problem_of(answer))]
    return "; ".join(dict.fromkeys(problems))


def _run(order: Order, environment: str, release: Release, check: CommandCheck, address: str) -> str:
    place = Home.current().work / order.run / "checks" / environment / str(time.monotonic_ns())
    ours = release.images.get(check.image)
    with open_environment(order.app, environment) as opened:
        problem = run_command(
            opened.jobs,
            check,
            environment,
            image=str(ours or check.image),
            base_url=address,
            run=order.run,
            log=place / "log.txt",
        )
    keep_files(order, f"{environment}-check-{place.name}", place)
    return problem


def _run_suite(order: Order, built: Built | None, environment: str, check: Check, address: str) -> str:
    """Raise Rejected, with the failing tests, when the suite does not pass."""
    assert check.suite is not None
    place = Home.current().work / order.run / "checks" / environment / check.suite / str(time.monotonic_ns())
    result = run_suite(order, built, environment, check.suite, place, address)
    keep_files(order, f"{environment}-{check.suite}-{place.name}", place)
    note(order.run, "acceptance", f"{environment} {check.suite} {check.at}", result)
    check_tests([result])
    return ""

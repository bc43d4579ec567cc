"""`headway explain`: why a run ended as it did, and what to do."""

from typing import TYPE_CHECKING

from cli.output import AsJson, print_model, say
from cli.project import AppName, ProjectFolder, RunName, app_here
from cli.session import running

if TYPE_CHECKING:
    from delivery.report.explanation import Explanation


def explain(
    run: RunName = None,
    app: AppName = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Say why a run stopped: at which gate, what was found and what is allowed, where the evidence is, what is next."""
    running()
    from flows.telling import choose, explanation

    told = explanation(choose(run, app or (None if run else app_here(project))))
    if as_json:
        print_model(told)
    else:
        _show(told)


def _show(told: "Explanation") -> None:
    say(f"{told.name}: {told.outcome}: {told.meaning}; run {told.run[:8]}")
    if told.gate:
        in_step = f" (step {told.step})" * bool(told.step and told.step != told.gate)
        say(f"stopped at  {told.gate}{in_step}")
    elif told.step:
        say(f"step        {told.step}")
    for number, line in enumerate(told.found):
        say(f"{'found' if number == 0 else '':<10}  {line}")
    if told.allowed:
        say(f"allowed     {told.allowed}")
    for number, place in enumerate(told.evidence):
        say(f"{'evidence' if number == 0 else '':<10}  {place}")
    for number, step in enumerate(told.next_steps):
        say(f"{'next' if number == 0 else '':<10}  {step}")

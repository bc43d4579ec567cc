"""`headway plan`: what a delivery would do, without doing it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import typer

from cli.output import AsJson, print_model, print_table, say, seconds, warn
from cli.project import find_folder, first_names
from cli.scan_database import describe, warning_of
from cli.session import orchestrator
from cli.shown import NotPlanned, Plan, PlannedStop
from delivery.errors import HeadwayError, Misconfigured
from delivery.programs import git
from delivery.programs.checkout import check_sources, export
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.releases.release import Revision
from delivery.spec.app import App, environment_of, passed_before
from delivery.spec.configuration import FILE, load_app
from delivery.spec.environments import Environment
from delivery.spec.matrix import expand
from delivery.spec.stand_ins import stricter

DELIVERED = "Headway delivers commits"
THEN = "git add, git commit, headway run"


class Source(NamedTuple):
    """What a plan speaks of: a commit, or the work tree of a folder that has none yet, and what that means."""

    app: App
    revision: Revision | None
    repository: Path | None
    below: str = "."
    words: tuple[str, ...] = ()


def plan(
    folder: Annotated[Path | None, typer.Argument(help="Folder with headway.yaml; none: this one.")] = None,
    revision: Annotated[str, typer.Option(help="Commit, branch or tag.")] = "HEAD",
    environment: Annotated[str, typer.Option(help="Where it would go live.")] = "production",
    as_json: AsJson = False,
) -> None:
    """Show what would be built, tested and released where, and what is live there now; changes nothing.

    Before the first commit it shows what the work tree would give.
    """
    source = _source(find_folder(folder), revision, environment)
    app, found = source.app, source.revision
    stops = [*passed_before(app, environment), environment]
    cells = [cell.name for cell in expand(app)]
    live = {name: _live(app, name) for name in stops}
    plans = _infrastructure(source, folder, stops)
    if as_json:
        print_model(_data(source, cells, live, plans))
        return
    say(f"{app.app} {found.short} {found.subject}" if found else f"{app.app}, not committed yet")
    say(f"build      {', '.join(app.images)}")
    say(f"scan       blocks {', '.join(app.scan.block) or 'nothing'}; secrets: {app.scan.secrets}")
    say(f"           vulnerability database: {describe(app.scan)}")
    say(f"test       {', '.join(cells) or 'nothing'} ({app.parallel_cells} at once)")
    say(f"stand-ins  {stricter(app.stand_ins)}")
    rows = [
        tuple(str(value) for value in _described(name, app.environments[name], live[name]).values()) for name in stops
    ]
    print_table(["environment", "approval", "shift", "watch", "acceptance", "live now"], rows)
    for name, planned in plans.items():
        for line in _lines(name, planned):
            say(line)
    commits = _commits(source.repository, source.below, live[environment], found)
    if commits:
        say("commits that are not live yet:")
        for commit in commits:
            say(f"  {commit}")
    for word in (*source.words, warning_of(app.scan)):
        if word:
            warn(word)


def _infrastructure(
    source: Source, folder: Path | None, stops: Sequence[str]
) -> dict[str, InfrastructurePlan | HeadwayError]:
    """Return environment → what would change under it, or why that is not known, for those that name a stack."""
    named = [name for name in stops if source.app.environments[name].infrastructure]
    if not named:
        return {}
    if not orchestrator().answers():
        unknown = Misconfigured("infrastructure", "whose credentials to plan with is not known", next_step="headway up")
        return dict.fromkeys(named, unknown)
    from flows.infrastructure import preview

    with TemporaryDirectory(prefix="headway-plan-") as scratch:
        files = find_folder(folder)
        if source.repository and source.revision:
            files = Path(scratch) / "source"
            export(source.repository, source.revision.sha, source.below, files)
        plans: dict[str, InfrastructurePlan | HeadwayError] = {}
        for name in named:
            try:
                if plan := preview(source.app, name, files):
                    plans[name] = plan
            except HeadwayError as error:  # what is wrong with one says nothing of the others
                plans[name] = error
    return plans


def _lines(environment: str, planned: InfrastructurePlan | HeadwayError) -> Iterator[str]:
    if isinstance(planned, HeadwayError):
        yield f"infrastructure of {environment}: not planned: {planned}"
        return
    yield f"infrastructure of {environment}: {planned.summary()} (workspace {planned.workspace})"
    yield from planned.lines()
    for change in planned.drift:
        yield f"  changed beside Headway: {change}"


def _planned(environment: str, planned: InfrastructurePlan | HeadwayError) -> InfrastructurePlan | NotPlanned:
    return NotPlanned(environment=environment, problem=str(planned)) if isinstance(planned, HeadwayError) else planned


def _data(
    source: Source,
    cells: list[str],
    live: Mapping[str, Revision | None],
    plans: Mapping[str, InfrastructurePlan | HeadwayError],
) -> Plan:
    app = source.app
    stops = (_described(name, app.environments[name], before) for name, before in live.items())
    return Plan(
        app=app.app,
        revision=source.revision,
        words=source.words,
        images=tuple(app.images),
        cells=tuple(cells),
        stand_ins=stricter(app.stand_ins),
        vulnerability_database=describe(app.scan),
        environments=tuple(PlannedStop.model_validate(stop) for stop in stops),
        infrastructure=tuple(_planned(*one) for one in plans.items()),
    )


def _source(folder: Path, revision: str, environment: str) -> Source:
    """Return what would be delivered; of HEAD, where headway.yaml was never committed, what lies in the folder."""
    app = load_app(folder / FILE)
    environment_of(app, environment)
    try:
        repository = git.top_level(folder.resolve())
    except Misconfigured as error:
        if revision != "HEAD" or not folder.is_dir() or not error.found.startswith("is not in a git repository"):
            raise
        return Source(
            app, None, None, words=(f"there is no git repository yet, and {DELIVERED}: git init, then {THEN}",)
        )
    below = folder.resolve().relative_to(repository).as_posix()
    changed = git.changed_files(repository, below)
    if revision == "HEAD" and not git.has_file(repository, "HEAD", (PurePosixPath(below) / FILE).as_posix()):
        return Source(app, None, repository, below, (f"{FILE} is in no commit yet, and {DELIVERED}: {THEN}",))
    found = git.resolve(repository, revision, below)
    check_sources(repository, found.sha, below)
    words: tuple[str, ...] = ()
    if changed and revision == "HEAD":
        words = (f"not in the commit, so not delivered: {first_names(changed)}",)
    return Source(app, found, repository, below, words)


def _described(name: str, environment: Environment, live: Revision | None) -> dict[str, str]:
    approval = environment.approval
    return {
        "environment": name,
        "approval": "nobody" if approval.by == "nobody" else f"a person, within {approval.timeout_seconds} s",
        "shift": " → ".join(f"{step.percent} %" for step in environment.shift.steps),
        "watch": seconds(environment.watch.seconds),
        "acceptance": ", ".join(environment.acceptance) or "–",
        "live": f"{live.short} {live.subject}" if live else "–",
    }


def _live(app: App, environment: str) -> Revision | None:
    """Return the revision that is live, or none when that cannot be told without bringing up the platform."""
    prefect = orchestrator()
    if not prefect.answers():
        return None
    from flows.overview import look_at

    state = look_at(app, environment).state
    slot = state.live if state else None
    return slot.release.revision if slot and slot.release else None


def _commits(repository: Path | None, below: str, live: Revision | None, new: Revision | None) -> list[str]:
    if repository is None or live is None or new is None or live.sha == new.sha:
        return []
    return [
        f"{commit.sha[:7]} {commit.subject} ({commit.author})"
        for commit in git.log_between(repository, live.sha, new.sha, below)
    ]

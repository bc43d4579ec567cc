"""`headway diff`: what tells two releases apart."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import AsJson, print_model, print_table, say
from cli.project import AppName, ProjectFolder, app_here, choose_app, find_folder
from cli.session import running
from delivery.counting import counted
from delivery.errors import CommandFailed, HeadwayError
from delivery.programs import git

if TYPE_CHECKING:
    from delivery.releases.change import Commit
    from delivery.releases.difference import ImageDifference, ReleaseDifference

DIGEST = 19  # `sha256:` and twelve digits
Named = "An environment, for what is live there, or the fingerprint of a release or its beginning."


def diff(
    old: Annotated[str, typer.Argument(help=Named)],
    new: Annotated[str, typer.Argument(help=Named)],
    app: AppName = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show what tells two releases apart: images, commits, migrations, keys of headway.yaml, findings; never a value.

    Commits are known in the application's folder alone.
    """
    running()
    from flows.telling import difference, known

    name = choose_app(app, project)
    commits = None
    if app_here(project) == name:
        shas = (known(name, one).release.revision.sha for one in (old, new))
        commits = _commits(find_folder(project), *shas)
    told = difference(name, old, new, commits)
    if as_json:
        print_model(told)
    else:
        _show(told)


def _commits(folder: Path, old: str, new: str) -> "tuple[Commit, ...] | None":
    """Return the commits between two, newest first; none where the folder's repository does not have them."""
    try:
        repository = git.top_level(folder.resolve())
        below = folder.resolve().relative_to(repository).as_posix()
        for sha in (old, new):
            git.resolve(repository, sha, below)
        return git.log_between(repository, old, new, below)
    except (CommandFailed, HeadwayError):
        return None


def _show(told: "ReleaseDifference") -> None:
    for side, one in (("old", told.old), ("new", told.new)):
        say(f"{side}  {one.asked}: {one.release}, {one.revision[:7]} {one.subject} ({one.author})")
    if told.is_empty:
        say("it is the same release", "green")
        return
    print_table(["image", "", "old", "new", "size"], [_image(one) for one in told.images])
    if told.commits is None:
        say("commits: not known here; in the application's folder they are")
    for commit in told.commits or ():
        say(f"commit  {commit.sha[:7]} {commit.subject} ({commit.author})")
    say(f"migrations: {'differ' if told.migrations else 'the same'}")
    for version in told.applied:
        say(f"  applied by its rehearsal: {version}")
    for version in told.contracts:
        say(f"  shrinks the schema: {version}")
    say(f"headway.yaml: {counted(len(told.keys), 'key')} differ" if told.keys else "headway.yaml: the same")
    for key in told.keys:
        say(f"  {key.how:<7}  {key.key}")
    if told.new_findings is None or told.gone_findings is None:
        say("findings: not known of both")
        return
    say(f"findings: {len(told.new_findings)} new, {len(told.gone_findings)} gone")
    for sign, findings in (("+", told.new_findings), ("-", told.gone_findings)):
        for finding in findings:
            say(f"  {sign} {finding}")


def _image(one: "ImageDifference") -> tuple[str, ...]:
    return one.name, one.how, one.old[:DIGEST], one.new[:DIGEST], _size(one.old_bytes, one.new_bytes)


def _size(old: int | None, new: int | None) -> str:
    shown = [f"{size / 1e6:.1f} MB" if size else "not known" for size in (old, new)]
    return shown[1] if old == new else " → ".join(shown)

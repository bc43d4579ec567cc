"""`headway bootstrap`: make what environments on AWS share, before anything is published there."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from cli.asking import Yes, ask
from cli.output import AsJson, print_json, say, warn
from cli.project import ProjectFolder, find_folder
from cli.session import orchestrator
from delivery import opening
from delivery.errors import Rejected
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.spec.configuration import FILE, load_app


def bootstrap(
    state_bucket: Annotated[str, typer.Option(help="Bucket for Terraform's state; it is made when there is none.")],
    evidence_bucket: Annotated[str, typer.Option(help="Bucket for artifacts and evidence.")],
    owner: Annotated[str, typer.Option(help="Who answers for it: a tag on everything.")],
    registry_prefix: Annotated[str, typer.Option(help="What names of repositories begin with.")] = "",
    lock_days: Annotated[int, typer.Option(help="How long what is written there is locked; 0: not at all.")] = 0,
    force_destroy: Annotated[
        bool, typer.Option("--force-destroy", help="Repositories may be destroyed with images in them.")
    ] = False,
    project: ProjectFolder = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make, on AWS, the bucket for Terraform's state, repositories for images and the bucket for evidence."""
    orchestrator()  # a local AWS that is up is meant
    app = load_app(find_folder(project) / FILE)
    prefix = f"{registry_prefix.strip('/')}/" if registry_prefix else ""
    variables: dict[str, object] = {
        "app": app.app,
        "images": list(app.images),
        "registry_prefix": prefix,
        "evidence_bucket": evidence_bucket,
        "evidence_lock_days": lock_days,
        "force_destroy": force_destroy,
        "owner": owner,
    }
    made = opening.make_state_bucket(state_bucket)
    warn(f"bucket {state_bucket} for Terraform's state: {'made' if made else 'is there'}")
    with TemporaryDirectory(prefix="headway-bootstrap-") as scratch:
        shared = opening.open_shared_infrastructure(app.app, variables, bucket=state_bucket, scratch=Path(scratch))
        planned = shared.plan()
        _show(planned.plan)
        outputs: Mapping[str, object] = {name: one.value for name, one in planned.outputs.items()}
        if planned.plan.protected:
            raise Rejected(f"it would lose {', '.join(planned.plan.protected)}: do that with Terraform, by hand")
        if planned.plan.changes_anything:
            ask("Make this?", where="headway bootstrap", otherwise="nothing was made", yes=yes)
            outputs = {name: one.value for name, one in shared.apply(planned).items()}
    if as_json:
        print_json(outputs)
        return
    say(f"what environments of {app.app} share is there", "green")
    say(f"next: HEADWAY_STORE={outputs['store']} HEADWAY_REGISTRY=ecr://{prefix.rstrip('/')} headway up")


def _show(plan: InfrastructurePlan) -> None:
    """Say what would be made: on stderr, for the output may be data."""
    warn(plan.summary())
    for line in plan.lines():
        warn(line)

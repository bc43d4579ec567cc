"""What environments on AWS share is made after it was shown and agreed to, and nothing that holds data goes by it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from delivery.errors import Misconfigured, Rejected
from delivery.ports.infrastructure import PlannedInfrastructure
from delivery.releases.infrastructure import InfrastructurePlan, Output, ResourceChange
from tests.cli.conftest import Headway, Project
from tests.support.examples import check_data, examples

ASKED = ("--state-bucket", "team-state", "--evidence-bucket", "team-evidence", "--owner", "team-shop")
OUTPUTS = {"store": Output(name="store", sensitive=False, value="s3://team-evidence/headway")}
BUCKET = ResourceChange(address="aws_s3_bucket.evidence", type="aws_s3_bucket", action="create")


class Shared:
    """What is shared, which is only planned."""

    def __init__(self, *changes: ResourceChange, protected: tuple[str, ...] = ()) -> None:
        self.changes, self.protected, self.applied, self.told = changes, protected, 0, dict[str, object]()

    def plan(self) -> PlannedInfrastructure:
        now = datetime.now(UTC)
        plan = InfrastructurePlan(
            sha256="c0ffee" + "0" * 58,
            app="shop",
            environment="shared",
            stack="aws/shared",
            workspace="shared",
            run="bootstrap",
            made_at=now,
            expires_at=now,
            changes=self.changes,
            protected=self.protected,
            changes_anything=bool(self.changes),
        )
        return PlannedInfrastructure(plan, b"", outputs={} if self.changes else OUTPUTS)

    def apply(self, planned: PlannedInfrastructure) -> dict[str, Output]:
        self.applied += 1
        return OUTPUTS


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch, project: Project):
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr("cli.bootstrap.orchestrator", lambda: None)
    monkeypatch.setattr("delivery.opening.make_state_bucket", lambda bucket: True)

    def put(shared: Shared) -> Shared:
        def opened(app: str, variables: dict[str, object], *, bucket: str, scratch: Path) -> Shared:
            shared.told = {**variables, "bucket": bucket}
            return shared

        monkeypatch.setattr("delivery.opening.open_shared_infrastructure", opened)
        return shared

    return put


def test_it_is_shown_made_when_agreed_to_and_says_how_it_is_used(headway: Headway, shares) -> None:
    shared = shares(Shared(BUCKET))

    ended = headway("bootstrap", *ASKED, "--registry-prefix", "team/", "--yes")

    assert (ended.code, shared.applied) == (0, 1)
    assert ended.err.splitlines() == [
        "bucket team-state for Terraform's state: made",
        "1 to create",
        "  create aws_s3_bucket.evidence",
    ]
    assert ended.out.splitlines() == [
        "what environments of shop share is there",
        "next: HEADWAY_STORE=s3://team-evidence/headway HEADWAY_REGISTRY=ecr://team headway up",
    ]
    assert (shared.told["images"], shared.told["registry_prefix"], shared.told["bucket"]) == (
        ["web"],
        "team/",
        "team-state",
    )


def test_where_nobody_can_be_asked_nothing_is_made(headway: Headway, shares) -> None:
    shared = shares(Shared(BUCKET))

    ended = headway("bootstrap", *ASKED)

    assert (ended.code, shared.applied) == (Misconfigured.exit_code, 0)
    assert "there is no terminal to ask on" in ended.err


def test_what_is_there_is_left_as_it_is(headway: Headway, shares) -> None:
    shared = shares(Shared())

    ended = headway("bootstrap", *ASKED, "--json")

    assert (ended.code, shared.applied) == (0, 0)
    assert '"store": "s3://team-evidence/headway"' in ended.out


def test_what_holds_data_is_not_lost_by_it_whatever_is_said(headway: Headway, shares) -> None:
    gone = ResourceChange(address="aws_s3_bucket.evidence", type="aws_s3_bucket", action="replace")
    shared = shares(Shared(gone, protected=("aws_s3_bucket.evidence",)))

    ended = headway("bootstrap", *ASKED, "--yes")

    assert (ended.code, shared.applied) == (Rejected.exit_code, 0)
    assert "it would lose aws_s3_bucket.evidence" in ended.err


def test_its_example_prints_what_its_schema_says(headway: Headway, shares) -> None:
    shared = shares(Shared(BUCKET))
    (example,) = [one for one in examples() if one.verb == "bootstrap"]

    ended = headway(*example.argv)

    assert (ended.code, shared.applied) == (0, 1)
    assert check_data("bootstrap", ended.out)

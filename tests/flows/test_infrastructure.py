"""What an environment stands on is brought up to date by a delivery: by exactly the plan that was allowed, once."""

import shutil
from pathlib import Path

import pytest

from blocks.artifact_store import current_store
from delivery.errors import Misconfigured
from delivery.releases.change import compare
from delivery.releases.infrastructure import InfrastructurePlan, ResourceChange
from delivery.spec.app import App
from delivery.terraform.infrastructure import TerraformInfrastructure
from flows import gate, runs
from flows.deliver import deliver
from flows.drift import drift
from flows.infrastructure import destroy, plan_destruction
from flows.overview import environments
from tasks.infrastructure import check_outputs, open_infrastructure
from tasks.lease import lease_book
from tasks.plan_book import plan_book
from tests.flows.platform import MEMORY, artifacts
from tests.support.stacks import PASSWORD, in_folder, needs_terraform, write_stack

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect"), needs_terraform]
PERSON = {"by": "person", "timeout_seconds": 60}


@pytest.fixture
def describe(platform, tmp_path, monkeypatch):
    """Write headway.yaml with a stack for each environment."""
    monkeypatch.setattr(gate, "POLL_SECONDS", 0.05)
    write_stack(platform.project / "infra", in_folder(tmp_path / "state"))

    def write(size="small", *, approval=None, staging=False, **more):
        stack = {"terraform": "infra", "variables": {"size": size}, "lock_seconds": 0, **more}
        production = {"target": MEMORY, "infrastructure": stack, **({"approval": approval} if approval else {})}
        environments = {"production": production}
        if staging:
            environments = {
                "staging": {"target": MEMORY, "infrastructure": stack},
                "production": {**production, "after": "staging"},
            }
        platform.describe(environments=environments)

    return write


def size_of(platform, environment="production"):
    """Return what the stack says of itself, none when it was never applied."""
    output = open_infrastructure(platform.app, environment, platform.project, "look").outputs().get("url")
    return output.value if output else None


def answers(decision="approve", **more):
    return lambda run: runs.answer(runs.look(run), decision, "ann@example.com", "", **more)


def kept_plans(platform):
    store = current_store()
    keys = [key for key in store.keys("plans") if key.count(".") == 1 and key.endswith(".json")]
    return [InfrastructurePlan.model_validate_json(store.get(key)) for key in keys]


def test_each_environment_is_brought_up_to_date_before_its_release(platform, describe):
    describe(staging=True)

    run = platform.deliver()

    assert run.state.is_completed(), run.ended
    assert (size_of(platform, "staging"), size_of(platform)) == ("small", "small")
    plans = platform.record(run.id).infrastructure
    assert [(plan.workspace, plan.summary()) for plan in plans] == [
        ("staging", "1 to create"),
        ("production", "1 to create"),
    ]


@pytest.mark.long
def test_where_nothing_changes_nothing_is_carried_out(platform, describe):
    describe()
    platform.deliver()
    platform.commit("Change the application alone")

    run = platform.deliver()

    assert run.state.is_completed(), run.ended
    assert platform.record(run.id).infrastructure == ()


def test_the_question_shows_the_plan_and_what_was_approved_is_what_is_done(platform, describe):
    describe(approval=PERSON)
    seen = {}

    def look_and_approve(run):
        [seen["plan"]] = kept_plans(platform)
        seen["question"], seen["before"] = artifacts(run)["change-shop-production"], size_of(platform)
        answers()(run)

    run = platform.deliver_while(look_and_approve)

    plan = seen["plan"]
    assert run.state.is_completed(), run.ended
    assert "infrastructure: 1 to create" in seen["question"]
    assert f"plan `{plan.short}` for workspace production" in seen["question"]
    assert "create terraform\\_data.web" in seen["question"]
    assert (seen["before"], size_of(platform)) == (None, "small")
    assert platform.record(run.id).infrastructure == (plan,)
    assert plan_book().was_applied(plan, run.id)
    assert plan_book().outputs("shop", "production") == {"url": "small"}  # and not the one that is sensitive


@pytest.mark.long
def test_a_rejected_plan_changes_nothing(platform, describe):
    describe(approval=PERSON)

    run = platform.deliver_while(answers("reject"))

    assert run.ended[0] == "Rejected"
    assert (size_of(platform), platform.live()) == (None, None)


def test_another_plan_voids_an_approval(platform, describe):
    release = platform.release(2)
    plans = []
    for size in ("small", "large"):
        describe(size, approval=PERSON)
        plans.append(kept(platform, platform.order("run-2")))
    bindings = {compare(platform.app, "production", release, None, (), plan).binding for plan in [None, *plans]}

    assert len(bindings) == 3


def kept(platform, order):
    infrastructure = open_infrastructure(order.app, "production", platform.project, order.run)
    return plan_book().keep(infrastructure.plan())


PROTECTED = {"protected": ["terraform_data"]}


def with_names(platform, *names):
    """Have a resource for each name in the stack, which is destroyed when its name is taken out."""
    tfvars = ", ".join(f'"{name}"' for name in names)
    path = platform.project / "infra" / "more.tf"
    path.write_text(f'resource "terraform_data" "kept" {{\n  for_each = toset([{tfvars}])\n}}\n')


def names_in_state(platform):
    infrastructure = open_infrastructure(platform.app, "production", platform.project, "look")
    return sorted(one.address for one in infrastructure.plan(destroy=True).plan.changes)


@pytest.fixture
def losing(platform, describe):
    """The next delivery's plan destroys what holds data."""

    def prepare(approval=None):
        with_names(platform, "a", "b")
        describe()
        assert platform.deliver().state.is_completed()
        with_names(platform, "a")
        describe(approval=approval, **PROTECTED)

    return prepare


def test_a_plan_that_destroys_what_holds_data_is_refused_where_nobody_is_asked(platform, losing):
    losing()

    run = platform.deliver()

    assert run.ended[0] == "Rejected"
    assert 'destroys or replaces what holds data: terraform_data.kept["b"]; nobody is asked' in run.ended[1]
    assert 'terraform_data.kept["b"]' in names_in_state(platform)


@pytest.mark.parametrize(
    ("word", "left"),
    [
        pytest.param("", True, marks=pytest.mark.long),
        pytest.param("yes", True, marks=pytest.mark.long),
        ("production", False),
    ],
)
def test_only_the_environments_name_lets_a_plan_destroy_what_holds_data(word, left, platform, losing):
    losing(PERSON)
    seen = {}

    def act(run):
        seen["question"] = artifacts(run)["change-shop-production"]
        answers(destroy=word)(run)

    run = platform.deliver_while(act)

    assert "Only the word `production` allows that" in seen["question"]
    assert run.state.is_completed() is not left
    assert ('terraform_data.kept["b"]' in names_in_state(platform)) is left


@pytest.mark.long
def test_a_plan_whose_state_was_changed_while_it_waited_is_refused(platform, describe):
    describe(approval=PERSON)

    def change_and_approve(run):
        other = open_infrastructure(platform.app, "production", platform.project, "by hand")
        other.apply(other.plan())
        answers()(run)

    run = platform.deliver_while(change_and_approve)

    assert run.ended[0] == "Rejected"
    assert "was made from state" in run.ended[1]
    assert platform.live() is None


def test_a_run_that_dies_in_an_apply_does_not_do_it_again(platform, describe, monkeypatch, tmp_path):
    describe()
    apply, seen = TerraformInfrastructure.apply, []

    def die(self, planned):
        seen.append(planned.plan)
        apply(self, planned)
        raise RuntimeError("it is not written down any more that it was done")

    monkeypatch.setattr(TerraformInfrastructure, "apply", die)
    run = platform.create(deliver, {"project": str(platform.project)})
    platform.carry(deliver, run)
    shutil.rmtree(tmp_path / "state")  # Terraform itself would carry it out again

    monkeypatch.setattr(TerraformInfrastructure, "apply", apply)
    again = platform.carry_again(deliver, run)

    assert len(seen) == 1
    assert again.ended[0] == "Rejected"
    assert "a plan is carried out once" in again.ended[1]
    assert size_of(platform) is None


def test_what_a_stack_keeps_secret_is_in_nothing_that_is_kept(platform, describe, tmp_path):
    describe()
    run = platform.deliver()
    canary, home = PASSWORD.encode(), tmp_path / "home"

    kept = [path for path in home.rglob("*") if path.is_file() and canary in path.read_bytes()]

    assert run.state.is_completed(), run.ended
    assert kept == []
    assert canary in (tmp_path / "state" / "production" / "terraform.tfstate").read_bytes()


def test_a_stack_that_is_wrong_is_told_with_file_and_line_before_anybody_is_asked(platform, describe):
    (platform.project / "infra" / "more.tf").write_text('resource "terraform_data" "more" { inputs = 1 }\n')
    describe(approval=PERSON)

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert "infra/more.tf:1: Unsupported argument" in run.ended[1]


def test_a_folder_that_is_not_there_is_told_with_its_key(platform, describe):
    describe()
    shutil.rmtree(Path(platform.project) / "infra")
    platform.commit("Lose it")

    run = platform.deliver()

    assert "environments.production.infrastructure.terraform: there is no folder infra" in run.ended[1]


def test_what_was_changed_beside_it_is_found_at_night_and_shown(platform, describe, monkeypatch):
    describe()
    platform.deliver()
    quiet = platform.run(drift, {})
    changed = ResourceChange(address="aws_s3_bucket.x", type="aws_s3_bucket", action="update", attributes=("tags",))
    monkeypatch.setattr(TerraformInfrastructure, "drift", lambda self: (changed,))

    run = platform.run(drift, {})

    assert quiet.ended[0] == "Completed"
    assert run.ended[0] == "Drifted"
    assert (
        "infrastructure of production of shop was changed beside Headway:\n  update aws_s3_bucket.x (tags)"
        in (run.ended[1])
    )
    [view] = environments()
    assert view.drift.changes == (changed,)


@pytest.mark.long
def test_infrastructure_that_cannot_be_compared_is_no_good_sign(platform, describe, monkeypatch, tmp_path):
    describe()
    platform.deliver()
    monkeypatch.setenv("TF_VAR_size", "other")

    run = platform.run(drift, {})

    assert run.ended[0] == "Drifted"
    assert "could not be compared: TF_VAR_size" in run.ended[1]


def test_what_an_environment_stands_on_is_destroyed_by_the_plan_that_was_shown(platform, describe):
    describe()
    platform.deliver()
    plan = plan_destruction(platform.app, "production", platform.project, "destroy")

    destroyed, again = [
        platform.run(destroy, {"app": platform.app, "source": str(platform.project), "plan": plan}) for _ in range(2)
    ]

    assert destroyed.state.is_completed(), destroyed.ended
    assert names_in_state(platform) == []
    assert "a plan is carried out once" in str(again.error)


@pytest.mark.long
def test_nothing_is_destroyed_while_somebody_changes_the_environment(platform, describe):
    describe()
    platform.deliver()
    plan = plan_destruction(platform.app, "production", platform.project, "destroy")
    lease = lease_book().take("shop", "production", holder="another", reason="release abc")

    run = platform.run(destroy, {"app": platform.app, "source": str(platform.project), "plan": plan})
    lease_book().give_back(lease)

    assert "another" in str(run.error)
    assert names_in_state(platform) == ["terraform_data.web"]


def test_an_environment_without_a_stack_has_nothing_to_destroy(platform):
    with pytest.raises(Misconfigured, match=r"environments\.production\.infrastructure: there is none"):
        plan_destruction(platform.app, "production", platform.project, "destroy")


def test_a_stack_without_the_outputs_that_the_target_needs_is_refused_before_anything_is_applied(platform, describe):
    describe()
    order = platform.order("run-3")
    target = {"kind": "ecs", "instance": "shop"}
    production = order.app.environments["production"].model_dump(mode="json") | {"target": target}
    app = App.model_validate(order.app.model_dump(mode="json") | {"environments": {"production": production}})
    planned = open_infrastructure(order.app, "production", platform.project, order.run).plan()

    with pytest.raises(Misconfigured) as told:
        check_outputs(planned, app, "production")

    assert str(told.value).splitlines() == [
        "headway.yaml: environments.production.infrastructure: stack infra: has no output service, "
        "which the environment's target needs; allowed: password, url",
        "  next: add it to the stack, or say under `target` what it would tell",
    ]
    assert size_of(platform) is None

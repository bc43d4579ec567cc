"""What stands in the port `Infrastructure`, for stacks of Terraform whose state is in a folder and in S3."""

import os
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from delivery.changes.processes import here, started
from delivery.errors import Misconfigured, Rejected
from delivery.programs import terraform
from delivery.programs.terraform import StateLocked
from delivery.terraform import holder
from delivery.terraform.holder import Attempt
from delivery.waiting import until
from tests.support.stacks import PASSWORD, STACK, in_folder, in_s3, make_infrastructure, needs_terraform, write_stack
from tests.support.terraform_mirror import needs_provider, variables_for

pytestmark = [needs_terraform, pytest.mark.xdist_group("local-aws")]
NOW = datetime.now(UTC)
SLOW = """
resource "terraform_data" "slow" {{
  provisioner "local-exec" {{ command = "touch {begun}; while [ ! -e {go_on} ]; do sleep 0.05; done" }}
}}
"""


@pytest.fixture
def source(tmp_path, request):
    """A folder with a stack in it, whose state is where the test's parameter says."""
    kind = getattr(request, "param", "folder")
    if kind == "s3":
        backend = in_s3(request.getfixturevalue("aws"), request.getfixturevalue("bucket"))
    else:
        backend = in_folder(tmp_path / "state")
    write_stack(tmp_path / "source" / "stack", backend)
    return tmp_path / "source"


@pytest.fixture
def make(source, tmp_path):
    return lambda **more: make_infrastructure(source, tmp_path / "home", **more)


in_s3_as_well = pytest.mark.parametrize("source", ["folder", "s3"], indirect=True)
both = pytest.mark.parametrize("source", ["folder", pytest.param("s3", marks=pytest.mark.long)], indirect=True)


@in_s3_as_well
def test_a_plan_is_what_is_done_and_afterwards_there_is_nothing_to_do(make):
    planned = make().plan()
    make().apply(planned)
    again = make().plan()

    assert planned.plan.summary() == "1 to create"
    assert [str(one) for one in planned.plan.changes] == ["create terraform_data.web"]
    assert planned.plan.outputs == ("password", "url")
    assert (again.plan.changes_anything, again.plan.summary()) == (False, "nothing changes")
    assert make().outputs()["url"].value == "small"
    assert make().drift() == ()


@both
def test_workspaces_have_nothing_to_do_with_each_other(make):
    make().apply(make().plan())

    other = make(environment="production").plan().plan

    assert other.workspace == "production"
    assert other.summary() == "1 to create"


def test_what_is_replaced_and_destroyed_is_told_by_its_address_and_what_holds_data_apart(make):
    names = {"size": "small", "names": ["a", "b"]}
    make(variables=names).apply(make(variables=names).plan())

    changed = make(variables={"size": "large", "names": ["a"]}, protected=["terraform_data"]).plan().plan

    assert changed.summary() == "1 to update, 1 to replace, 1 to destroy"
    assert 'destroy terraform_data.named["b"]' in [str(one) for one in changed.changes]
    assert changed.protected == ('terraform_data.named["a"]', 'terraform_data.named["b"]')


def test_everything_is_destroyed_by_a_plan_of_its_own(make):
    make().apply(make().plan())

    planned = make().plan(destroy=True)
    make().apply(planned)

    assert (planned.plan.destroys_all, planned.plan.summary()) == (True, "1 to destroy")
    assert make().plan().plan.summary() == "1 to create"


def _apply_something_else(make):
    make(variables={"size": "other"}).apply(make(variables={"size": "other"}).plan())


def _delete_state(make):
    shutil.rmtree(make().place.home.parent / "state")


@pytest.mark.parametrize(("meanwhile", "now"), [(_apply_something_else, "number"), (_delete_state, "which is")])
def test_a_plan_whose_state_moved_or_is_gone_changes_nothing(make, meanwhile, now):
    make().apply(make().plan())
    planned = make(variables={"size": "large"}).plan()
    meanwhile(make)
    before = {name: one.value for name, one in make().outputs().items()}

    with pytest.raises(Rejected, match=r"was made from state .* by now") as told:
        make().apply(planned)

    assert now in str(told.value)
    assert {name: one.value for name, one in make().outputs().items()} == before


def test_a_plan_tells_names_and_no_values_and_nothing_is_left_of_it(make, tmp_path):
    planned = make().plan()
    make().apply(planned)

    assert PASSWORD not in planned.plan.model_dump_json() + repr(planned) + repr(make().outputs())
    assert list((tmp_path / "home" / "work").iterdir()) == []
    assert list((tmp_path / "home" / "terraform").rglob("*.json")) == []


@pytest.mark.parametrize(
    ("change", "where", "said"),
    [
        ({"variables": {}}, "stack/main.tf:9", "No value for required variable: The root module input variable"),
        ({"variables": {"size": "a", "sise": 1}}, "infrastructure.variables", 'declare a variable named "sise"'),
        ({"workspace": "a.b/c"}, "", "workspace"),
        ("resource {", "stack/main.tf:", "Missing"),
        ('resource "terraform_data" "more" {{ inputs = 1 }}', "stack/main.tf:", "Unsupported argument"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line_as_terraform_says_it(change, where, said, make, source, tmp_path):
    if isinstance(change, str):
        (source / "stack" / "more.tf").write_text(change.format() if "{{" in change else change)
        where, change = where.replace("main", "more"), {}

    with pytest.raises((Misconfigured, ValueError)) as told:
        make(**change).plan()

    assert where in str(told.value)
    assert said in str(told.value)


def test_a_stack_whose_state_would_be_gone_after_the_run_is_refused(make, source):
    (source / "stack" / "main.tf").write_text(STACK.format(backend=""))

    with pytest.raises(Misconfigured, match="its state would be kept beside its files"):
        make().plan()


@pytest.mark.parametrize("name", ["TF_CLI_ARGS", "TF_CLI_ARGS_apply", "TF_WORKSPACE", "TF_VAR_size"])
def test_variables_that_would_change_what_is_done_are_refused(name, make, monkeypatch):
    monkeypatch.setenv(name, "x")

    with pytest.raises(Misconfigured, match=f"{name}: set where Headway runs"):
        make().plan()


def test_an_old_terraform_is_refused(make, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho \'{"terraform_version": "1.9.8"}\'\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))

    with pytest.raises(Misconfigured, match=r"terraform: 1\.9\.8; allowed: 1\.11 or newer"):
        make().plan()


def test_without_terraform_it_is_said_what_is_needed(make, monkeypatch):
    monkeypatch.setattr(terraform, "PROGRAM", "terraform-that-is-not-there")

    with pytest.raises(Misconfigured, match=r"allowed: Terraform 1\.11 or newer"):
        make().plan()


APPLY = """
import sys
from pathlib import Path
from tests.support.terraform_mirror import needs_provider, variables_for
from tests.support.stacks import make_infrastructure
port = make_infrastructure(Path(sys.argv[1]), Path(sys.argv[2]), run="first")
port.apply(port.plan())
"""


@pytest.fixture
def applying(source, tmp_path):
    """A process of its own that is in the middle of an apply, until `go_on` is there."""
    begun, go_on = tmp_path / "begun", tmp_path / "go on"
    (source / "stack" / "slow.tf").write_text(SLOW.format(begun=begun, go_on=str(go_on).replace(" ", "\\\\ ")))
    process = subprocess.Popen([sys.executable, "-c", APPLY, str(source), str(tmp_path / "home")])
    assert until(begun.exists, seconds=60, every=0.05, unless=lambda: process.poll() is not None)
    yield process
    go_on.touch()
    process.kill()
    process.wait()


def kill_all_of(process, mark):
    """Kill a process and whatever it started, as a machine that is switched off does."""
    process.kill()
    process.wait()
    theirs = [one for one in psutil.process_iter() if holder._may_hold(one, mark)]
    for one in theirs:
        one.kill()
    psutil.wait_procs(theirs, timeout=30)


@both
def test_a_second_change_is_told_who_holds_the_state_or_waits_for_it(applying, make, source, tmp_path):
    with pytest.raises(StateLocked, match=r"is held by .*@.* since .*OperationTypeApply") as told:
        make().plan()

    waiting = threading.Timer(1, (tmp_path / "go on").touch)
    waiting.start()
    make(lock_seconds=60).plan()

    assert "terraform force-unlock " in str(told.value)
    assert applying.wait(60) == 0


@in_s3_as_well
def test_a_lock_of_the_dead_is_taken_away_and_one_of_the_living_is_not(applying, make, tmp_path, source):
    applying.kill()
    applying.wait()
    with pytest.raises(StateLocked):  # whoever led it is dead, and Terraform itself goes on
        make().plan()

    kill_all_of(applying, make().place.mark)
    (source / "stack" / "slow.tf").unlink()
    make().apply(make().plan())

    assert make().plan().plan.changes_anything is False


@pytest.mark.parametrize("source", ["s3"], indirect=True)
def test_a_lock_of_which_nothing_is_known_stays(applying, make, tmp_path):
    kill_all_of(applying, make().place.mark)
    shutil.rmtree(tmp_path / "home" / "terraform")  # of what others started nothing is kept here

    with pytest.raises(StateLocked, match="terraform force-unlock"):
        make().plan()


CUT_OFF = Attempt(where=here(), process=1, started=-1, at=NOW - timedelta(hours=1), ends=NOW)
LOCK = {"Who": f"root@{here().hostname}", "Created": f"{NOW - timedelta(minutes=5):%Y-%m-%d %H:%M:%S.%f123} +0000 UTC"}


@pytest.mark.parametrize(
    ("note", "lock", "dead"),
    [
        ({}, {}, True),
        ({}, {"Who": "root@elsewhere"}, False),
        ({}, {"Created": "yesterday"}, False),
        ({"at": NOW - timedelta(minutes=1)}, {}, False),  # taken before it was started: somebody else's
        ({"ends": NOW - timedelta(minutes=6)}, {}, False),  # taken after it can have lived: somebody else's
        ({"process": os.getpid(), "started": started(os.getpid())}, {}, False),
        ({"where": here().model_copy(update={"boot": "another"})}, {}, False),
    ],
)
def test_a_holder_is_dead_only_where_that_is_proven(note, lock, dead, tmp_path):
    (tmp_path / "a.json").write_text(CUT_OFF.model_copy(update=note).model_dump_json())

    assert holder.is_dead(LOCK | lock, tmp_path, "a stack of this test") is dead


def test_nothing_is_proven_while_a_terraform_runs_that_is_nobodys(tmp_path):
    (tmp_path / "a.json").write_text(CUT_OFF.model_dump_json())
    program = tmp_path / "terraform"
    shutil.copy(shutil.which("sleep"), program)
    by_hand = subprocess.Popen([program, "60"])

    assert until(lambda: not holder.is_dead(LOCK, tmp_path, "a stack of this test"), seconds=10, every=0.05)
    by_hand.kill()
    by_hand.wait()

    assert holder.is_dead(LOCK, tmp_path, "a stack of this test")


BUCKET = """
terraform {{
  {backend}
  required_providers {{
    aws = {{ source = "hashicorp/aws" }}
  }}
}}
variable "size" {{ type = string }}
provider "aws" {{
  region = "us-east-1"
  access_key = "local"
  secret_key = "local"
  skip_credentials_validation = true
  skip_requesting_account_id = true
  skip_metadata_api_check = "true"
  s3_use_path_style = true
  endpoints {{
    s3 = "ENDPOINT"
    sts = "ENDPOINT"
  }}
}}
resource "aws_s3_bucket" "it" {{ bucket = "drifting" }}
resource "aws_s3_bucket_versioning" "it" {{
  bucket = aws_s3_bucket.it.id
  versioning_configuration {{ status = "Enabled" }}
}}
"""


@pytest.mark.long
@needs_provider
def test_what_somebody_changed_by_hand_is_found_and_changed_back(aws, source, make, tmp_path, monkeypatch):
    for name, value in variables_for(tmp_path).items():
        monkeypatch.setenv(name, value)
    write_stack(source / "stack", in_folder(tmp_path / "state"), BUCKET.replace("ENDPOINT", aws.url))
    make().apply(make().plan())
    quiet, client = make().drift(), aws.client("s3")

    client.put_bucket_versioning(Bucket="drifting", VersioningConfiguration={"Status": "Suspended"})
    found, planned = make().drift(), make().plan()
    make().apply(planned)

    changed = ["update aws_s3_bucket_versioning.it (versioning_configuration)"]
    assert quiet == ()
    assert [str(one) for one in found] == [str(one) for one in planned.plan.drift] == changed
    assert client.get_bucket_versioning(Bucket="drifting")["Status"] == "Enabled"

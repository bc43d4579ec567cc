"""What a job is to ECS: sizes that there are, files that are carried out, and no secret in it."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from delivery.aws.jobs import secret_variables
from delivery.aws.task_definition import FARGATE, TaskSettings, check_size, job_definition, report_folders
from delivery.errors import Misconfigured
from delivery.ports.jobs import Job

SETTINGS = TaskSettings(
    cluster="shop",
    subnets=("subnet-1",),
    security_groups=("sg-1",),
    execution_role="arn:aws:iam::1:role/execution",
    log_group="/headway/shop",
    bucket="artifacts",
)


def definition(**fields):
    job = Job(name="migrate", image="shop/api@sha256:1", run="r1", log=Path("log"), **fields)
    references = dict.fromkeys((*secret_variables(job), *(("HEADWAY_UPLOAD",) if job.reports else ())), "arn:secret")
    return job_definition(job, SETTINGS, family="f", region="eu-west-1", references=references, tags={"a": "b"})


def test_a_variable_that_holds_a_secret_or_contains_one_is_referred_to():
    """A database's address contains its password."""
    made = definition(
        env={"DATABASE_URL": "postgresql://app:hush@db/app", "PGHOST": "db"},
        secrets={"TOKEN": SecretStr("t0ken")},
        hide=(SecretStr("hush"),),
    )
    [program] = made["containerDefinitions"]

    assert program["environment"] == [{"name": "PGHOST", "value": "db"}]
    assert {one["name"] for one in program["secrets"]} == {"DATABASE_URL", "TOKEN"}
    assert "hush" not in str(made)
    assert "t0ken" not in str(made)


def test_the_images_own_command_and_entrypoint_stay_where_the_job_names_none():
    [program] = definition()["containerDefinitions"]
    [other] = definition(command=("migrate",), entrypoint=())["containerDefinitions"]

    assert "command" not in program
    assert "entryPoint" not in program
    assert (other["command"], other["entryPoint"]) == (["migrate"], [])
    assert program["essential"]


def test_files_are_carried_out_after_the_program_by_a_container_that_ends_the_task():
    made = definition(reports={"/reports/*.xml": 10, "/out/a/report.json": 10})
    program, prepare, courier = made["containerDefinitions"]

    assert [one["essential"] for one in (program, prepare, courier)] == [False, False, True]
    assert program["dependsOn"] == [{"containerName": "prepare", "condition": "SUCCESS"}]
    assert courier["dependsOn"] == [{"containerName": "program", "condition": "COMPLETE"}]
    assert program["mountPoints"] == prepare["mountPoints"] == courier["mountPoints"]
    assert [one["containerPath"] for one in program["mountPoints"]] == ["/out/a", "/reports"]
    assert {one["name"] for one in made["volumes"]} == {one["sourceVolume"] for one in program["mountPoints"]}
    assert [one["name"] for one in program["secrets"]] == []


@pytest.mark.parametrize(
    ("patterns", "folders"),
    [
        (["/reports/*.xml"], ["/reports"]),
        (["/reports/*.xml", "/reports/deep/*.json", "/reports/one.txt"], ["/reports"]),
        (["/a/*.xml", "/ab/*.xml"], ["/a", "/ab"]),
    ],
)
def test_folders_that_hold_reports_are_shared_each_once(patterns, folders):
    assert report_folders(patterns) == folders


@pytest.mark.parametrize("pattern", ["reports/*.xml", "/*.xml", "/report.xml"])
def test_a_report_that_is_in_no_folder_of_its_own_is_refused(pattern):
    with pytest.raises(Misconfigured, match=r"is in no folder of its own; allowed: .*/reports/\*\.xml"):
        report_folders([pattern])


@pytest.mark.parametrize(
    ("cpu", "memory", "said"),
    [
        (300, 512, r"tasks.cpu: 300 units, which Fargate does not have; allowed: 256, 512, 1024"),
        (256, 4096, r"tasks.memory: 4096 MiB, .* with 256 units of CPU; allowed: 512, 1024, 2048"),
        (1024, 2500, r"allowed: 2048 to 8192 in steps of 1024"),
    ],
)
def test_a_size_that_fargate_does_not_have_is_refused_with_those_it_has(cpu, memory, said):
    with pytest.raises(Misconfigured, match=said):
        check_size(cpu, memory, "tasks")


def test_every_size_that_fargate_has_is_taken():
    for cpu, sizes in FARGATE.items():
        for memory in sizes:
            check_size(cpu, memory, "tasks")

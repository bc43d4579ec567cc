"""The step of the action does what a runner asks of it; the programs of Headway are stand-ins that write down."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import zipfile

import pytest
import yaml

from tests.infra.ci.laid_out import CI, PROGRAMS, lay_out

PATIENCE_SECONDS = 60
NOWHERE = "/usr/bin:/bin"  # there is no headway
RUN = "0b1c2d3e-0000-4000-8000-000000000001"
STARTER = f"""#!/bin/sh
echo "$@" >>"$TOLD"
[ "$1" != deployment ] || [ -z "$STARTS_WHEN" ] || read -r _ <"$STARTS_WHEN"
echo 'Created flow run {RUN}'
"""
# Until it is told to end, the one that follows does nothing but say that it is there.
FOLLOWER = f"""#!{sys.executable}
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})
print("following", flush=True)
signal.sigwait({{signal.SIGTERM}})
with open(os.environ["TOLD"], "a") as told:
    told.write("told\\n")
raise SystemExit(130)
"""
UNREADY = FOLLOWER.replace("SIG_BLOCK", "SIG_UNBLOCK").replace("signal.sigwait({signal.SIGTERM})", "signal.pause()")


def steps():
    action = yaml.safe_load((CI / "github" / "action.yml").read_text())
    return {step["id"]: step for step in action["runs"]["steps"]}


def start(step, folder, **env):
    """Start a step as a runner does: https://docs.github.com/actions, jobs.<job_id>.steps[*].shell: bash."""
    written = folder / f"{step['id']}.sh"
    written.write_text(step["run"])
    return subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", written],
        cwd=folder,
        env={"PATH": os.environ["PATH"]} | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def programs(tmp_path):
    """Programs of Headway that start a run, and follow it until they are told to end."""
    made = tmp_path / "programs"
    made.mkdir()
    (made / "python").symlink_to(PROGRAMS / "python")
    (made / "prefect").write_text(STARTER)
    (made / "headway").write_text(FOLLOWER)
    for name in ("prefect", "headway"):
        (made / name).chmod(0o755)
    os.mkfifo(tmp_path / "pipe")
    return made


def follow(folder, **more):
    """Start the step that starts a run and follows it."""
    lay_out(folder)
    told = {"TOLD": str(folder / "told"), "GITHUB_OUTPUT": str(folder / "output")}
    action = {"HEADWAY_ACTION": str(folder / ".github" / "headway" / "github"), "HEADWAY_DEPLOYMENT": "deliver/local"}
    return start(steps()["run"], folder, HEADWAY_PROGRAMS=str(folder / "programs"), **action, **told, **more)


def ended(process):
    """Return the exit code of a step; nothing of it is left."""
    try:
        return process.wait(timeout=PATIENCE_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()


def until_followed(process):
    while process.stdout.readline() != "following\n":
        assert process.poll() is None


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_runner_that_tells_only_the_step_to_end_has_the_run_stopped(programs, tmp_path, asked):
    process = follow(tmp_path)
    until_followed(process)

    process.send_signal(asked)

    assert ended(process) == 130
    assert "told\n" in (tmp_path / "told").read_text()
    assert "exit-code=130" in (tmp_path / "output").read_text()


def test_a_run_is_stopped_when_who_follows_it_was_not_ready_to(programs, tmp_path):
    (programs / "headway").write_text(UNREADY)
    process = follow(tmp_path)
    until_followed(process)

    process.send_signal(signal.SIGTERM)

    assert ended(process) == 130
    assert f"flow-run cancel {RUN}\n" in (tmp_path / "told").read_text()


def test_a_run_is_stopped_that_was_being_started_when_the_job_was_cancelled(programs, tmp_path):
    process = follow(tmp_path, STARTS_WHEN=str(tmp_path / "pipe"))

    with (tmp_path / "pipe").open("w") as go:  # opened as soon as it waits there
        process.send_signal(signal.SIGTERM)
        go.write("go\n")

    assert ended(process) == 130
    told = (tmp_path / "told").read_text().splitlines()
    assert told[0].startswith("deployment run deliver/local")
    assert told[1] in ("told", f"flow-run cancel {RUN}")


def install(folder, wheel):
    """Install as the action does where there is no command headway; return its exit code, and what it says."""
    (folder / "output").write_text("")
    process = start(
        steps()["install"],
        folder,
        PATH=NOWHERE,
        HEADWAY_WHEEL=wheel,
        RUNNER_TEMP=str(folder),
        GITHUB_OUTPUT=str(folder / "output"),
        PIP_NO_INDEX="1",
    )
    said, _ = process.communicate()
    return process.returncode, said


def make_wheel(folder):
    """Make a wheel of Headway with nothing in it but its name; return its path with its hash behind it."""
    about = "headway-1.0.dist-info"
    path = folder / "headway-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: headway\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    return f"{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.mark.parametrize("wheel", ["", "headway", "headway==1.0", "https://files.example/headway-1.0-py3-none-any.whl"])
def test_nothing_is_installed_that_is_not_named_with_its_hash(tmp_path, wheel):
    code, said = install(tmp_path, wheel)

    assert code == 2
    assert f"no wheel with its hash: {wheel or 'nothing'}; allowed: URL-or-path.whl#sha256=HASH" in said
    assert (tmp_path / "output").read_text() == "exit-code=2\n"
    assert not (tmp_path / "headway").exists()


@pytest.mark.long
def test_the_wheel_that_is_named_is_installed_and_no_other(tmp_path):
    named = make_wheel(tmp_path)

    other, refused = install(tmp_path, named[:-8] + "0" * 8)
    nothing = list((tmp_path / "headway").rglob("headway-1.0.dist-info"))
    code, said = install(tmp_path, named)

    assert (other != 0, nothing) == (True, [])
    assert "hash" in refused.lower()
    assert code == 0, said
    assert (tmp_path / "output").read_text() == f"programs={tmp_path}/headway/bin\n"
    assert list((tmp_path / "headway").rglob("headway-1.0.dist-info"))


def test_every_workflow_says_which_wheel_is_installed():
    for workflow in (CI / "github" / "workflows").glob("*.yml"):
        used = [step for job in yaml.safe_load(workflow.read_text())["jobs"].values() for step in job["steps"]]
        (ours,) = [step for step in used if step.get("uses", "").endswith("headway/github")]
        assert ours["with"]["headway"] == "${{ vars.HEADWAY_WHEEL }}", workflow

"""CI starts deliveries on a real platform, shows their steps, and ends as they end."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.hello import change, until_line
from tests.end_to_end.project import HANGS_SECONDS, Project
from tests.infra.ci.laid_out import CI, PROGRAMS, lay_out
from tests.support.platforms import free_port, new_home

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.xdist_group("ci")]
QUICK = "  production: {target: {port: PORT}, watch: {seconds: 1}}\n"
LONG = QUICK.replace("seconds: 1}", f"seconds: {HANGS_SECONDS}, min_requests: 1}}")
GROOVY = "npm-groovy-lint@15.2.2"  # it brings the jars of Groovy 4
ORIGIN = "https://github.com/acme/hello.git"
SUCCESS, FAILURE = 0, 1
UPLOAD_COMMIT = "ea165f8d65b6e75b540449e92b4886f43607fa02"
REPORT = "<testsuite name='hello'><testcase name='greets'/></testsuite>"
# Keeps what GitHub's own action would upload.
UPLOAD = """
name: upload
description: keep a folder
inputs:
  name: {description: of the artifact, required: true}
  path: {description: of the folder, required: true}
  if-no-files-found: {description: what then, required: false}
runs:
  using: composite
  steps:
    - shell: bash
      run: mkdir -p "$KEPT" && cp -r "${{ inputs.path }}" "$KEPT/"
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A platform that is up, as a server is to which CI speaks."""
    folder = tmp_path_factory.mktemp("platform")
    (folder / "nothing").mkdir()
    platform = Project(new_home(folder / "home").root, folder / "nothing", free_port())
    done = platform.headway("up")
    assert done.returncode == 0, done.stdout + done.stderr
    yield platform
    done = platform.headway("down", "--purge", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def project(up, tmp_path_factory):
    """The smallest application in a repository with the files for CI, live in production."""
    made = Project(up.home, tmp_path_factory.mktemp("hello") / "app", up.server_port)
    made.copy_example("hello")
    made.describe(QUICK)
    lay_out(made.folder)
    made.commit("Deliver from CI")
    made.git("remote", "add", "origin", ORIGIN)
    return made


@pytest.fixture(autouse=True)
def sound(project):
    """Every test starts from an application that is sound."""
    before = project.git("rev-parse", "HEAD")
    yield
    project.git("reset", "-q", "--hard", before)


@pytest.fixture(scope="module")
def groovy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("groovy")
    if not shutil.which("java") or not shutil.which("npm"):
        pytest.skip("there is no Java, or no npm to get Groovy with")
    packed = subprocess.run(["npm", "pack", "--silent", GROOVY], cwd=folder, check=True, capture_output=True, text=True)
    subprocess.run(["tar", "xzf", packed.stdout.strip()], cwd=folder, check=True)
    return folder / "package" / "lib" / "java" / "groovy" / "lib"


def api(up):
    return f"http://127.0.0.1:{(up.home / 'daemons' / 'server.port').read_text()}/api"


def key(up):
    return (up.home / "keys" / "server").read_text().strip()


def on_ci(up, **more):
    """Return the variables of a CI machine: nothing of the platform, but the programs of Headway."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("HEADWAY_", "PREFECT_"))}
    path = f"{PROGRAMS}:{known['PATH']}"
    return {**known, "PATH": path, "PREFECT_API_URL": api(up), "PREFECT_API_AUTH_STRING": key(up), **more}


def act(project, up, event="push", *more, file="deliver"):
    told = ["--var", f"PREFECT_API_URL={api(up)}", "--var", f"HEADWAY_PROJECT={project.folder}"]
    secret = ["-s", "PREFECT_API_AUTH"]
    argv = [PROGRAMS / "act", event, "-W", f".github/workflows/{file}.yml", "-P", "ubuntu-latest=-self-hosted"]
    env = {name: value for name, value in on_ci(up).items() if not name.startswith("PREFECT_")}
    return subprocess.run(
        [*argv, "--pull=false", *told, *secret, *more],
        cwd=project.folder,
        env={**env, "PREFECT_API_AUTH": key(up)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def script(project, up, **parameters):
    named = {f"HEADWAY_{name.upper()}": value for name, value in parameters.items()}
    known = {"HEADWAY_DEPLOYMENT": "deliver/local", "HEADWAY_PROJECT": str(project.folder)}
    return subprocess.Popen(
        [CI / "run-and-follow.sh"],
        env=on_ci(up, **{**known, **named}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def jenkins(project, up, groovy, file="Jenkinsfile", branch="main"):
    sha = project.git("rev-parse", "HEAD")
    told = {"CREDENTIAL_headway_prefect_api": key(up), "GIT_COMMIT": sha, "GIT_URL": str(project.folder)}
    env = {name: value for name, value in on_ci(up, **told).items() if name != "PREFECT_API_AUTH_STRING"}
    harness = Path(__file__).with_name("jenkins.groovy")
    return subprocess.run(
        ["java", "-cp", f"{groovy}/*", "groovy.ui.GroovyMain", harness, file, branch],
        cwd=project.folder,
        env=env,
        capture_output=True,
        text=True,
    )


def greeting(project):
    return httpx.get(f"{project.url()}/Ada", timeout=10).text.partition(",")[0]


def break_the_tests(project):
    project.edit("test_server.py", "import unittest", "import unittest\n\nraise SystemExit(3)")
    project.commit("Break the tests")


def test_a_push_to_main_goes_live_by_github_actions_and_one_that_fails_its_tests_does_not(project, up):
    change(project, "Good day")

    green = act(project, up)
    break_the_tests(project)
    red = act(project, up)

    assert green.returncode == SUCCESS, green.stdout + green.stderr
    assert "✓ publish release" in green.stdout
    assert "set-output:: exit-code=0" in green.stdout
    assert red.returncode == FAILURE, red.stdout + red.stderr
    assert "set-output:: exit-code=1" in red.stdout
    assert greeting(project) == "Good day"
    assert key(up) not in green.stdout + red.stdout + green.stderr + red.stderr


def test_a_commit_on_main_goes_live_by_jenkins_and_one_that_fails_its_tests_does_not(project, up, groovy):
    change(project, "Good evening")

    green = jenkins(project, up, groovy)
    break_the_tests(project)
    red = jenkins(project, up, groovy)

    assert green.returncode == SUCCESS, green.stdout + green.stderr
    assert "Finished: SUCCESS" in green.stdout
    assert red.returncode == FAILURE, red.stdout + red.stderr
    assert "ERROR: rejected (exit code 1)" in red.stdout
    assert greeting(project) == "Good evening"
    assert key(up) not in green.stdout + red.stdout + green.stderr + red.stderr


def test_the_tests_of_a_pull_request_are_run_and_their_junit_files_are_artifacts(project, up, tmp_path):
    writes = 'python -m unittest -v && mkdir -p /reports && echo "$REPORT" >/reports/hello.xml'
    suite = {"image": "web", "command": ["sh", "-c", writes], "junit": "/reports/*.xml", "env": {"REPORT": REPORT}}
    project.edit(
        "headway.yaml", "unit: {image: web, command: [python, -m, unittest, -v]}", f"unit: {json.dumps(suite)}"
    )
    sha = project.commit("Report the tests")
    uploads, kept = tmp_path / "upload-artifact", tmp_path / "kept"
    uploads.mkdir()
    (uploads / "action.yml").write_text(UPLOAD)
    event = tmp_path / "event.json"
    pull = {
        "number": 7,
        "head": {"sha": sha, "repo": {"full_name": "acme/hello"}},
        "base": {"ref": "main", "sha": project.git("rev-parse", "HEAD~1")},
    }
    event.write_text(json.dumps({"pull_request": pull, "repository": {"full_name": "acme/hello"}}))
    local = f"actions/upload-artifact@{UPLOAD_COMMIT}={uploads}"

    told = ["-e", event, "--local-repository", local, "--env", f"KEPT={kept}"]
    done = act(project, up, "pull_request", *told, file="pull-request")

    assert done.returncode == SUCCESS, done.stdout + done.stderr
    assert [path.relative_to(kept).as_posix() for path in kept.rglob("*.xml")] == ["junit/unit/hello.xml"]


def test_jenkins_leaves_other_branches_alone(project, up, groovy):
    other = jenkins(project, up, groovy, branch="topic")

    assert other.returncode == SUCCESS
    assert "skipped due to when conditional" in other.stdout


@pytest.mark.parametrize("word", ["stages", "steps", "credentials"])
def test_a_misspelt_section_of_the_jenkinsfile_is_refused(project, up, groovy, word):
    text = (project.folder / "Jenkinsfile").read_text()
    (project.folder / "Misspelt").write_text(text.replace(word, f"{word}z", 1))

    refused = jenkins(project, up, groovy, file="Misspelt")

    assert refused.returncode != SUCCESS
    assert "MissingMethodException" in refused.stderr
    assert f"{word}z" in refused.stderr


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"environment": "nowhere"}, "environments.nowhere"),
        ({"environment": "Not A Name"}, "was not started"),
        ({"deployment": "deliver/nowhere"}, "was not started"),
    ],
)
def test_what_cannot_work_ends_with_2(project, up, parameters, said):
    process = script(project, up, **parameters)

    printed, _ = process.communicate()

    assert process.returncode == 2, printed
    assert said in printed


def test_a_release_that_is_withdrawn_ends_with_3(project, up):
    project.edit("server.py", "def do_GET(self) -> None:", "def do_GET(self) -> None:\n        raise SystemExit(1)\n")
    project.commit("Answer nobody")
    process = script(project, up, revision=project.git("rev-parse", "HEAD"))

    printed, _ = process.communicate()

    assert process.returncode == 3, printed


def test_a_job_that_is_cancelled_stops_its_run(project, up):
    project.describe(LONG)
    change(project, "Good night")
    process = script(project, up, revision=project.git("rev-parse", "HEAD"))
    until_line(process, "✓ shift to 100 %")

    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate()

    assert process.returncode == 130, printed
    assert greeting(project) != "Good night"

"""Deliveries into an engine of another machine: out, back, killed and recovered; this machine's engine only builds."""

from dataclasses import replace

import docker
import pytest

from tests.end_to_end.conftest import copy_of
from tests.end_to_end.hello import change, greeting, kill_its_carrier, start_long_run, wait_for
from tests.end_to_end.load import load_on
from tests.end_to_end.project import HANGS_SECONDS, Project
from tests.support.engines import ENGINE_PORT, other_machine

pytestmark = [
    pytest.mark.docker,
    pytest.mark.long,
    pytest.mark.xdist_group("end-to-end"),
    pytest.mark.timeout(HANGS_SECONDS),
]
QUICK = "  production: {target: {host: HOST, bind: BIND, port: PORT}, watch: {seconds: 1}, busy: queue}\n"


def there(project: Project) -> str:
    host = f"tcp://{project.address}:{ENGINE_PORT}"
    return QUICK.replace("HOST", host).replace("BIND", project.address)


@pytest.fixture(scope="module")
def far(shared: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The smallest application, live on another machine."""
    with other_machine(tmp_path_factory.mktemp("machine")) as address:
        project = replace(copy_of(shared, tmp_path_factory.mktemp("far"), "hello"), address=address)
        project.edit("headway.yaml", "app: hello", "app: far")
        project.describe(there(project))
        done = project.headway("run")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"application   {project.url()}" in done.stdout
        yield project
        removed = project.headway("remove", "far", "--yes")
        assert removed.returncode == 0, removed.stdout + removed.stderr
        client = docker.DockerClient(f"tcp://{address}:{ENGINE_PORT}")
        assert client.containers.list(all=True, filters={"label": "headway.app=far"}) == []
        assert client.images.list("headway-carried/far/*") == []
        client.close()


def test_a_release_goes_out_and_back_under_load_and_this_machines_engine_runs_none_of_it(far: Project) -> None:
    said = greeting(far)
    change(far, f"{said} far")
    with load_on(far.url(), path="/Ada", post=False) as counts:
        delivered = far.headway("run")
        new = greeting(far)
        back = far.headway("rollback", "--app", "far")

    assert (delivered.returncode, back.returncode) == (0, 0), delivered.stderr + back.stderr
    assert (new, greeting(far)) == (f"{said} far", said)
    assert counts.failures == []
    assert counts.requests > 100
    assert [name for name in far.things() if "-far-" in name] == []


def test_what_a_killed_run_began_there_is_withdrawn_by_recovery(far: Project) -> None:
    said = greeting(far)
    change(far, f"{said} killed")
    long = there(far).replace("seconds: 1}", f"seconds: {HANGS_SECONDS}, min_requests: 1}}")
    process = start_long_run(far, described=long)

    output = kill_its_carrier(far, process)

    assert process.returncode == 1, output
    wait_for(lambda: greeting(far) == said)
    wait_for(lambda: [one["busy"] for one in far.status()["environments"] if one["app"] == "far"] == [False])

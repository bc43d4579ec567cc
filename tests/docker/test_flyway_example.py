"""The example of a CI step that migrates with Flyway's own image."""

import os
import subprocess
from functools import partial
from pathlib import Path

import pytest

from delivery.docker.database.database import accepts_queries, start_in_memory
from delivery.docker.database.roles import make_roles
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.sandbox.probe import wait_until
from delivery.docker.sandbox.sandbox import open_sandbox
from delivery.home import Home

pytestmark = pytest.mark.docker
STEP = Path(__file__).resolve().parents[2] / "examples" / "flyway" / "migrate.sh"


@pytest.fixture
def database():
    """A server in a network of its own, as its sandbox and how it is reached."""
    with open_sandbox(Home.current(), "flyway-example", "cell") as sandbox:
        sandbox.add_network()
        server, access = start_in_memory(sandbox, "postgres:15-alpine", "app")
        wait_until(partial(accepts_queries, server, access), server, 60)
        make_roles(server)
        yield sandbox, server, access


def test_the_step_migrates_by_a_file_that_nobody_else_may_read(database, tmp_path):
    sandbox, server, access = database
    file = tmp_path / "flyway.env"
    password = access.password.get_secret_value()
    url = f"jdbc:postgresql://{access.host}:{access.port}/{access.name}"
    file.write_text(f"FLYWAY_URL={url}\nFLYWAY_USER={access.user}\nFLYWAY_PASSWORD={password}\n")
    own = {"ENV_FILE": str(file), "NETWORK": sandbox.name, "FLYWAY_IMAGE": sandbox.image("flyway/flyway:9")}
    env = {**os.environ, **own}
    run = partial(subprocess.run, [str(STEP)], env=env, capture_output=True, text=True, timeout=120)
    file.chmod(0o644)
    refused = run()
    file.chmod(0o600)
    done, again = run(), run()
    argv = ["psql", "-XqAt", "-U", "headway", "-d", "app", "-c", "select done from task"]

    assert refused.returncode == 2
    assert "has mode 644, and holds a password; allowed: 600" in refused.stderr
    assert (done.returncode, again.returncode) == (0, 0), done.stdout + done.stderr
    assert run_in(server, argv)[0] == 0
    assert password not in done.stdout + done.stderr

"""Processes that are killed while they back up, prove, restore or drill: nothing of it is left, and the next one does.

The moments are those at which a container of the step runs; where in its work it is then differs from run to run.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from delivery.changes.ledger import LABEL_PLATFORM
from delivery.docker.database.database import ensure_network
from delivery.docker.engine.client import connect
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.environment import open_docker
from delivery.ports.database import unfinished_in
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.waiting import until
from tests.places.test_environment_docker import APP
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.xdist_group("backup-kills")]
ROOT = Path(__file__).parents[2]
PRODUCTION = {"target": {"port": 8080}, "backups": {"any_second": True, "drill": {"without": ["application"]}}}
DESCRIBED = APP | {"app": "shop", "environments": {"production": PRODUCTION}}
FILLED = "create table task as select n as id, md5(n::text) as title from generate_series(1, 300000) n"
DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.docker.test_backup_kills import opened_in
from delivery.home import Home
backups = opened_in(Home(Path(sys.argv[2]))).backups
match sys.argv[3]:
    case "take":
        backups.take("run-1", "by hand")
    case "prove":
        backups.prove("latest", "run-1")
    case "restore":
        backups.restore("latest", "before", "run-1")
    case "drill":
        backups.drill("run-1", deadline_seconds=600)
"""
# What is killed, and the part of a container's name at which that is.
KILLS = [
    ("take", "-dump"),
    ("prove", "-backup-"),
    ("prove", "-restore"),
    ("restore", "-restore-"),
    ("drill", "-look"),
    ("drill", "-lay"),
    ("drill", "-database"),
]


def opened_in(home):
    app = App.model_validate(DESCRIBED)
    settings = EnvironmentSettings(app="shop", environment="production")
    return open_docker(app, app.environments["production"], settings, sequence=1, home=home)


class Shop:
    def __init__(self, home) -> None:
        self.home, self.names = home, EnvironmentNames(home.identity, "shop", "production")
        ensure_network(connect(), self.names)
        self.opened = opened_in(home)
        self.opened.database.ensure()

    def sql(self, script):
        argv = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "headway", "-d", "app", "-c", script]
        code, said, errors = run_in(connect().containers.get(self.names.database), argv)
        assert code == 0, errors
        return said.strip()

    def temporary(self):
        """The containers that belong to no environment."""
        wanted = {"label": f"{LABEL_PLATFORM}={self.home.identity}"}
        found = connect().containers.list(all=True, filters=wanted, ignore_removed=True)
        kept = (self.names.database, self.names.archive)
        return sorted(str(one.name) for one in found if one.name not in kept)

    def killed(self, what, at):
        """Have a process do it, and kill it as soon as such a container is there."""
        argv = [sys.executable, "-P", "-c", DRIVER, str(ROOT), str(self.home.root), what]
        driver = subprocess.Popen(argv, env=os.environ | {"PYTHONPATH": str(ROOT)})
        try:
            seen = until(
                lambda: any(at in name for name in self.temporary()) or driver.poll() is not None,
                seconds=120,
                every=0.02,
            )
            assert seen
            assert driver.poll() is None, "it had ended before it could be killed"
        finally:
            os.kill(driver.pid, signal.SIGKILL)
            driver.wait()
        assert until(lambda: not self.temporary(), seconds=60, every=0.2), self.temporary()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        shop = Shop(home)
        shop.sql(FILLED)
        shop.opened.backups.take("run-0", "by hand")
        yield shop


@pytest.mark.parametrize(("what", "at"), KILLS)
def test_who_is_killed_leaves_nothing_and_the_next_one_does_it(shop, what, at):
    before = shop.sql("select count(*), sum(hashtext(task::text)) from task")
    known = {one.name for one in shop.opened.backups.kept()}
    shop.killed(what, at)
    whole = [one for one in shop.opened.backups.kept() if one.name not in known]
    shop.opened.backups.sweep()

    assert [one for one in whole if one.rows != 300000] == []
    assert unfinished_in(shop.opened.database.beside()) == ()
    assert shop.opened.backups.drill("run-2", deadline_seconds=600).outcome == "pass"
    shop.opened.backups.take("run-2", "by hand")
    assert shop.opened.backups.prove("latest", "run-2").outcome == "pass"
    if "before" not in shop.opened.database.beside():  # it may have come to its end
        assert shop.opened.backups.restore("latest", "before", "run-2").rows == 300000
    shop.opened.database.drop("before")
    assert shop.sql("select count(*), sum(hashtext(task::text)) from task") == before
    assert shop.temporary() == []

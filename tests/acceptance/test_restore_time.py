"""How long going back takes with a gigabyte in the database, beside the bare commands a person would type.

Both do the same work on the same machine in turns. What is kept is seconds and their ratio; nothing is judged by them.
"""

import statistics
import time
import uuid

import pytest

from delivery.docker.database.database import ensure_network
from delivery.docker.engine.client import connect
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.environment import open_docker
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.waiting import until
from tests.places.test_environment_docker import APP
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.timeout(3600)]
ROUNDS = 3
PRODUCTION = {"target": {"port": 8080}, "backups": {"any_second": True, "drill": {"without": ["application"]}}}
# A gigabyte that does not compress well, of rows as an application has them, with the indexes that they need.
FILLED = """
create table parcel (id bigint primary key, customer int not null, note text not null, at timestamptz not null);
insert into parcel select n, n % 100000, encode(sha256(n::text::bytea), 'base64') || encode(sha256((-n)::text::bytea),
  'base64') || encode(sha256((n * 7)::text::bytea), 'hex'), now() from generate_series(1, 4600000) n;
create index parcel_customer on parcel (customer);"""
# What a person would type, with the archive at /archive and a new folder at /restore.
BY_HAND = """
set -e
base=$(ls -d /archive/$(cat /archive/system)/base/2* | tail -1)
cp -a "$base" /restore/data
cat >>/restore/data/postgresql.auto.conf <<END
restore_command = 'cp "${base%/base/*}/wal/%f" "%p" || cp "${base%/base/*}/wal/%f.partial" "%p"'
recovery_target_time = 'MOMENT'
recovery_target_action = promote
END
touch /restore/data/recovery.signal
chmod 0700 /restore/data; chmod -R a+rX /archive; chown -R postgres /restore
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        names = EnvironmentNames(home.identity, "shop", "production")
        app = App.model_validate(APP | {"app": "shop", "environments": {"production": PRODUCTION}})
        ensure_network(connect(), names)
        settings = EnvironmentSettings(app="shop", environment="production")
        opened = open_docker(app, app.environments["production"], settings, sequence=1, home=home)
        opened.database.ensure()
        server = connect().containers.get(names.database)
        code, size, errors = run_in(
            server,
            ["psql", "-XqAt", "-U", "headway", "-d", "app", "-c", f"{FILLED} select pg_database_size('app')"],
            seconds=1200,
        )
        assert code == 0, errors
        assert int(size) > 1_000_000_000
        opened.backups.own.archive().take_base()
        yield opened, names


def answers(container):
    """Return once a server takes writes."""

    def asked():
        argv = ["psql", "-XqAt", "-U", "headway", "-d", "app", "-c", "select pg_is_in_recovery()"]
        return run_in(container, argv)[1].strip() == "f"

    assert until(asked, seconds=600, every=0.1), container.logs(tail=20)


def replayed_by_hand(opened, names, moment):
    client, image = connect(), opened.backups.own.image()
    name = f"by-hand-{uuid.uuid4().hex[:8]}"
    started = time.monotonic()
    client.volumes.create(name)
    container = client.containers.run(
        image,
        ["sleep", "infinity"],
        name=name,
        volumes={names.archive: {"bind": "/archive", "mode": "rw"}, name: {"bind": "/restore", "mode": "rw"}},
        entrypoint=[],
        user="0",
        environment={"PGHOST": "/tmp"},
        detach=True,
    )
    try:
        script = BY_HAND.replace("MOMENT", moment.isoformat())
        code, output, errors = run_in(container, ["sh", "-c", script], user="0", seconds=600)
        assert code == 0, output + errors
        container.exec_run(["postgres", "-D", "/restore/data", "-k", "/tmp"], user="postgres", detach=True)
        answers(container)
        return time.monotonic() - started
    finally:
        container.remove(force=True, v=True)
        client.volumes.get(name).remove(force=True)


def restored_by_hand(opened, dump):
    client, image = connect(), opened.backups.own.image()
    started = time.monotonic()
    container = client.containers.run(
        image,
        environment={"POSTGRES_USER": "headway", "POSTGRES_PASSWORD": "x", "POSTGRES_DB": "app"},
        volumes={str(dump.parent): {"bind": "/backup", "mode": "ro"}},
        shm_size="256m",
        detach=True,
    )
    try:
        until(
            lambda: (
                run_in(container, ["psql", "-U", "headway", "-h", "127.0.0.1", "-d", "app", "-c", "select 1"])[0] == 0
            ),
            seconds=60,
            every=0.1,
        )
        run_in(container, ["psql", "-U", "headway", "-d", "app", "-c", "create role app"])
        argv = ["pg_restore", "-U", "headway", "-d", "app", "--exit-on-error", f"/backup/{dump.name}"]
        code, output, errors = run_in(container, argv, user="0", seconds=1200)
        assert code == 0, output + errors
        return time.monotonic() - started
    finally:
        container.remove(force=True, v=True)


def kept_figures(record_property, name, ours, bare):
    record_property(f"{name}_ours_seconds", [round(one, 2) for one in ours])
    record_property(f"{name}_bare_seconds", [round(one, 2) for one in bare])
    record_property(f"{name}_ratio", round(statistics.median(ours) / statistics.median(bare), 3))


def test_a_replayed_gigabyte(shop, record_property):
    opened, names = shop
    ours, bare = [], []
    for _ in range(ROUNDS):
        shown = opened.backups.drill("run-1", deadline_seconds=3600)
        assert (shown.outcome, shown.rows) == ("pass", 4600000), shown.problems
        ours.append(shown.rto_seconds)
        bare.append(replayed_by_hand(opened, names, opened.backups.own.archive().arrive()))

    kept_figures(record_property, "replay", ours, bare)


def test_a_restored_gigabyte(shop, record_property):
    opened, _ = shop
    kept = opened.backups.take("run-1", "by hand")
    dump = opened.backups.folder.find(kept.name)[1] / "database.dump"
    ours, bare = [], []
    for _ in range(ROUNDS):
        proof = opened.backups.prove(kept.name, "run-1")
        assert (proof.outcome, proof.rows) == ("pass", 4600000)
        ours.append(proof.rto_seconds)
        bare.append(restored_by_hand(opened, dump))

    kept_figures(record_property, "dump", ours, bare)

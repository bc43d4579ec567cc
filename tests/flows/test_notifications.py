"""A night that fails reaches people, by the notification block that they named."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from types import SimpleNamespace

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client

from blocks.notifications import AUTOMATION, DEPLOYMENT, ENDS, UNWATCHED, notify_by
from cli.registration import register
from delivery.errors import Misconfigured
from delivery.platform.orchestrator import Orchestrator
from flows.verify_backup import verify_backups
from tests.flows.platform import MEMORY
from tests.flows.test_deployments import DEPLOYMENTS

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]
BLOCK = "custom-webhook/people"
SECRET = "canary-5d1c"
WITHIN_SECONDS = 90


@pytest.fixture
def receiver():
    """Where people read: yields its address, and what arrived."""
    arrived = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            arrived.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}/{SECRET}", arrived=arrived)
        server.shutdown()


@pytest.fixture
def people(server, receiver):
    """They made a block, and are told by it."""
    block = CustomWebhookNotificationBlock(
        name="people", url=receiver.url, json_data={"subject": "{{subject}}", "body": "{{body}}"}
    )
    block.save("people", overwrite=True, _sync=True)
    notify_by(BLOCK)
    yield receiver
    notify_by("nobody")


def automations():
    with get_client(sync_client=True) as client:
        return [one for one in client.read_automations() if one.name == AUTOMATION]


def test_people_are_told_what_failed_where_and_what_to_do_next(platform, people, automations_run):
    platform.describe(database={}, environments={"production": {"target": MEMORY}})
    platform.put_live(1)
    platform.containers.damaged.add("production")
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(verify_backups), DEPLOYMENT)
        run = str(client.create_flow_run_from_deployment(deployment).id)

    platform.carry(verify_backups, run)
    told = people.arrived.get(timeout=WITHIN_SECONDS)

    assert told["subject"] == "Headway: verify backups ended Failed"
    for said in (
        "production of shop: the backup of production cannot be restored as it was: table orders",
        "next: headway backups --app shop --environment production",
        run,
    ):
        assert said in told["body"]


def test_the_automation_is_made_once_and_knows_no_secret(people):
    notify_by(BLOCK)

    [found] = automations()
    assert SECRET not in found.model_dump_json()
    assert found.trigger.expect == {f"prefect.flow-run.{name}" for name in ENDS}


@pytest.mark.parametrize(("named", "automated"), [({"HEADWAY_NOTIFY": BLOCK}, 1), ({}, 0)])
def test_what_sets_up_deployments_sets_it_up_where_a_block_is_named(platform, people, monkeypatch, named, automated):
    notify_by("nobody")
    monkeypatch.setattr("blocks.registration.register_blocks", lambda *_: None)
    monkeypatch.setattr("cli.registration.run", lambda *_, **__: None)
    for name, value in named.items():
        monkeypatch.setenv(name, value)

    register(Orchestrator(platform.home), "registry:5000")

    assert len(automations()) == automated


def test_who_is_told_nothing_more_says_nobody(people):
    notify_by("nobody")

    assert automations() == []


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ("custom-webhook/nobody-made-it", "there is no such block"),
        ("no-such-type/people", "there is no such block"),
        ("headway-artifact-store/headway", "headway-artifact-store sends no notifications"),
    ],
)
def test_a_block_that_cannot_tell_anybody_is_refused(people, store_block, block, says):
    with pytest.raises(Misconfigured, match=f"HEADWAY_NOTIFY={block}: {says}"):
        notify_by(block)


def test_it_is_about_what_runs_every_night_in_deployments_yaml():
    assert [one["entrypoint"] for one in DEPLOYMENTS if one["name"] == DEPLOYMENT] == [
        "flows.verify_backup:verify_backups",
        "flows.drift:drift",
        "flows.rescan:rescan",
    ]


def test_nothing_that_starts_itself_goes_wrong_unheard():
    by_hand = {"local", "staging", "production"}  # whoever started it looks
    watched = by_hand | {"every-minute"}  # what fails every minute is tried again in a minute
    assert {one["name"] for one in DEPLOYMENTS} - watched == set(UNWATCHED)
    assert {"Failed", "Crashed", "Rejected", "Withdrawn", "Misconfigured"} <= set(ENDS)

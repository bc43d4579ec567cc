"""The receiver answers as its own description says, whatever it is sent: by strangers, and by who knows the secret."""

import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings

from delivery.home import Home
from delivery.hooks.connections import Connections
from tests.support.receivers import Running, connect_all, running_receiver

pytestmark = pytest.mark.long
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
MANY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Running]:
    home = Home(tmp_path / "home")
    connect_all(home)
    with running_receiver(home, lambda _: b"") as running:
        yield running


def test_whatever_strangers_send_the_answer_is_one_that_is_described(receiver, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    address = f"http://127.0.0.1:{receiver.port}/openapi.json"
    argv = [str(SCHEMATHESIS), "run", address, "--max-examples", "30", "--phases", "coverage,fuzzing", "--no-color"]

    done = subprocess.run(argv, capture_output=True, text=True, timeout=240)

    assert done.returncode == 0, done.stdout[-3000:]
    assert "4 selected / 4 total" in done.stdout
    assert receiver.kept == []


@pytest.mark.parametrize(("operation", "name"), [("github", "shop"), ("registry", "images")])
def test_whatever_is_sent_with_the_right_secret_the_answer_is_one_that_is_described(receiver, operation, name):
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{receiver.port}/openapi.json")
    secret = Connections(receiver.home).secret(name).get_secret_value()
    answers = set()

    @MANY
    @given(case=schema[f"/{operation}/{{name}}"]["POST"].as_strategy())
    def send(case):
        body = json.dumps(case.body if isinstance(case.body, dict) else {"body": str(case.body)}).encode()
        mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {secret}",
            "x-github-event": "push",
            "x-github-delivery": "one",
            "x-hub-signature-256": f"sha256={mac}",
        }
        url = f"http://127.0.0.1:{receiver.port}/{operation}/{name}"
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(url, data=body, headers=headers, timeout=60)
        answers.add(answer.status_code)
        case.operation.validate_response(answer)

    send()

    assert answers <= {200, 202, 400}

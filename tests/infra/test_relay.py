"""The relay that CodeDeploy's hooks call: what is packed is what is written."""

import json
import runpy
import zipfile
from types import SimpleNamespace

import boto3
import pytest

from tests.architecture.sources import ROOT

RELAY = ROOT / "infra" / "aws" / "relay"


def test_the_package_is_of_the_source_and_the_same_each_time(tmp_path):
    runpy.run_path(str(RELAY / "pack.py"))["pack"](tmp_path / "again.zip")

    assert (tmp_path / "again.zip").read_bytes() == (RELAY / "relay.zip").read_bytes()
    with zipfile.ZipFile(RELAY / "relay.zip") as package:
        assert package.namelist() == ["relay.py"]
        assert package.read("relay.py") == (RELAY / "relay.py").read_bytes()


def test_it_says_which_execution_of_which_deployment_waits(monkeypatch: pytest.MonkeyPatch):
    said: list[tuple[str, str]] = []
    queue = SimpleNamespace(send_message=lambda QueueUrl, MessageBody: said.append((QueueUrl, MessageBody)))  # noqa: N803
    monkeypatch.setattr(boto3, "client", {"sqs": queue}.get)
    monkeypatch.setenv("QUEUE_URL", "https://queue")

    event = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}
    runpy.run_path(str(RELAY / "relay.py"))["handler"](event, None)

    [(url, body)] = said
    assert (url, json.loads(body)) == ("https://queue", {"deployment": "d-1", "execution": "e-1"})

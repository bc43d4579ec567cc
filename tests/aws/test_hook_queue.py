"""What hooks wait for is found on a queue on which much else is told."""

import json
import secrets

import pytest

from delivery.aws.hook_queue import HookQueue

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.fixture
def sqs(aws):
    return aws.client("sqs")


@pytest.fixture
def url(sqs):
    return sqs.create_queue(QueueName=f"hooks-{secrets.token_hex(3)}")["QueueUrl"]


def tell(sqs, url, deployment, count=1):
    for number in range(count):
        body = {"deployment": deployment, "execution": f"{deployment}-{number}"}
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))


def left(sqs, url):
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def nobody(deployments):
    return set()


def test_what_is_told_last_is_found_behind_what_nobody_answered(sqs, url):
    tell(sqs, url, "d-old", 25)
    tell(sqs, url, "d-own")

    [found] = HookQueue(sqs, url).of("d-own", nobody)

    assert (found.deployment, found.execution) == ("d-own", "d-own-0")
    assert left(sqs, url) == 25  # others may answer them


def test_what_is_told_of_deployments_that_are_over_is_forgotten(sqs, url):
    asked = []
    tell(sqs, url, "d-over", 12)
    tell(sqs, url, "d-goes-on", 2)

    def over(deployments):
        asked.extend(sorted(deployments))
        return {"d-over"}

    assert HookQueue(sqs, url).of("d-own", over) == ()
    assert asked == ["d-goes-on", "d-over"]
    assert left(sqs, url) == 2


def test_what_was_answered_is_not_told_again(sqs, url):
    queue = HookQueue(sqs, url)
    tell(sqs, url, "d-own")
    [found] = queue.of("d-own", nobody)

    queue.forget(found)

    assert queue.of("d-own", nobody) == ()
    assert left(sqs, url) == 0

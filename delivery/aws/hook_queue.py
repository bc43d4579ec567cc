"""The queue on which the relay (infra/aws/relay) says which executions of CodeDeploy's hooks wait for an answer."""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from delivery.aws.failures import aws_errors

AT_ONCE, MOST_BATCHES = 10, 50
# What one look took is hidden from the next ones until it is through: a queue gives what it likes, and in any order.
HIDDEN_SECONDS = 20


@dataclass(frozen=True)
class WaitingHook:
    """An execution of a hook, and what its message is deleted by."""

    deployment: str
    execution: str
    receipt: str


@dataclass(frozen=True)
class HookQueue:
    """The queue of one environment; every service's deployments are told on it, also those that nobody answered."""

    sqs: Any
    url: str

    def of(self, deployment: str, over: Callable[[Collection[str]], Collection[str]]) -> tuple[WaitingHook, ...]:
        """Return what waits of a deployment, as far as the queue tells it now.

        What is told of deployments that are `over` is deleted: nobody will answer it, and it would be read again at
        each look, before what is waited for. What is of others is visible to them again.
        """
        came: list[WaitingHook] = []
        with aws_errors("sqs"):
            for batch in self._batches():
                came += batch
                if any(one.deployment == deployment for one in batch):
                    break
        others = [one for one in came if one.deployment != deployment]
        ended = over({one.deployment for one in others}) if others else ()
        for one in others:
            if one.deployment in ended:
                self.forget(one)
            else:
                with aws_errors("sqs"):
                    self.sqs.change_message_visibility(
                        QueueUrl=self.url, ReceiptHandle=one.receipt, VisibilityTimeout=0
                    )
        return tuple(one for one in came if one.deployment == deployment)

    def forget(self, told: WaitingHook) -> None:
        """Delete a message: it was answered, or nobody will."""
        with aws_errors("sqs"):
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=told.receipt)

    def _batches(self) -> Iterator[list[WaitingHook]]:
        """Yield what is visible, batch by batch, to its end."""
        for _ in range(MOST_BATCHES):
            asked = {"MaxNumberOfMessages": AT_ONCE, "VisibilityTimeout": HIDDEN_SECONDS}
            found = self.sqs.receive_message(QueueUrl=self.url, **asked).get("Messages", [])
            if not found:
                return
            told = [(json.loads(one["Body"]), str(one["ReceiptHandle"])) for one in found]
            yield [WaitingHook(str(body["deployment"]), str(body["execution"]), receipt) for body, receipt in told]

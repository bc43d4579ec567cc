"""The hook of a deployment of CodeDeploy: says on a queue that it waits; whoever reads it answers CodeDeploy.

It decides nothing: as long as nobody answers, the deployment waits, and goes back when its hour is over.
"""

import json
import os

import boto3


def handler(event: dict[str, str], context: object) -> None:
    """Put the deployment and the execution of the hook on the queue that `QUEUE_URL` names."""
    told = {"deployment": event["DeploymentId"], "execution": event["LifecycleEventHookExecutionId"]}
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps(told))

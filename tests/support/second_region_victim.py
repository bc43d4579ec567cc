"""A process that sends or drills a copy in a second region and kills itself at a request of its choice.

`python -m tests.support.second_region_victim`: on its standard input comes, pickled, how all of it is opened, what it
does, and the operation of AWS that is its last one: before it is sent (`before`), or after it was answered (`after`).
"""

import os
import pickle
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.client

from delivery.aws.access import AwsAccess
from delivery.aws.jobs import EcsJobs
from delivery.aws.rds import RdsDatabase, RdsSettings
from delivery.aws.second_region import SecondRegion
from delivery.aws.second_settings import SecondSettings
from delivery.aws.task_definition import TaskSettings
from delivery.home import Home
from delivery.ports.aws_account import AwsAccount
from delivery.ports.settings import EnvironmentSettings


@dataclass(frozen=True)
class Opens:
    """All that an environment's second region is opened with, in any process."""

    account: AwsAccount
    room: TaskSettings
    root: Path
    settings: SecondSettings

    def __call__(self) -> SecondRegion:
        environment, access = EnvironmentSettings(app="shop", environment="production"), AwsAccess(self.account)
        jobs = EcsJobs(access, self.room, environment)
        own = RdsDatabase(access, jobs, environment, RdsSettings(instance="shop"), run="run-0")
        return SecondRegion(own, Home(self.root), access, self.settings)


def kill_at(last: str, when: str) -> None:
    """Let this process end, as nobody can catch, at an operation."""
    ask = botocore.client.BaseClient._make_api_call

    def asked(client: Any, operation: str, given: dict[str, Any]) -> Any:
        if operation == last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = ask(client, operation, given)
        if operation == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    botocore.client.BaseClient._make_api_call = asked


if __name__ == "__main__":
    opens, what, run, last, when = pickle.load(sys.stdin.buffer)
    kill_at(last, when)
    place = opens()
    if what == "send":
        place.send(run)
    else:
        place.drill(run, deadline_seconds=300)
    print("came to its end")

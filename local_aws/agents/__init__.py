"""The agents: what the records ask for is made, what happens is told to the records."""

from collections.abc import Iterator
from contextlib import contextmanager

from local_aws.agents.agent import Agent
from local_aws.agents.alarms import AlarmAgent
from local_aws.agents.backup import BackupAgent
from local_aws.agents.balancers import BalancerAgent
from local_aws.agents.codedeploy import CodeDeployAgent
from local_aws.agents.ecs import EcsAgent
from local_aws.agents.ecs_services import ServiceAgent
from local_aws.agents.rds import RdsAgent
from local_aws.installation import Installation
from local_aws.registry.storage import storage
from local_aws.server import LocalAws


@contextmanager
def agents(here: Installation, app: LocalAws) -> Iterator[None]:
    """Let all agents work; at an end in good order what they started is stopped, and its data stays."""
    working: list[Agent] = [
        RdsAgent(here),
        EcsAgent(app, app.faults),
        BalancerAgent(here),
        ServiceAgent(),
        CodeDeployAgent(app.faults),
        AlarmAgent(),
        BackupAgent(app.faults),
    ]
    for agent in working:
        agent.start()
    try:
        yield
    finally:
        for agent in working:
            agent.end()
        storage().stop()

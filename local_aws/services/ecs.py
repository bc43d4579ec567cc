"""ECS: task definitions that are checked, and tasks whose records an agent brings forward."""

from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import ECSException
from moto.ecs.models import EC2ContainerServiceBackend, ecs_backends
from moto.ecs.responses import DESCRIBE_TASKS_TAGS, EC2ContainerServiceResponse

from local_aws.services import ecs_definitions, ecs_running
from local_aws.services.ecs_running import MISSING, cluster_of, count_tasks, find_task, invalid
from local_aws.services.ecs_tasks import Task

PAGE = 100
_delete_cluster = EC2ContainerServiceResponse.delete_cluster


def register_task_definition(self: EC2ContainerServiceResponse) -> ActionResult:
    """Keep what is given, unless Fargate has no such size: "you must use one of the values in the following table".

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
    """
    given = dict(self.params)
    given["cpu"] = ecs_definitions.units(given.get("cpu"), "vcpu")
    given["memory"] = ecs_definitions.units(given.get("memory"), "gb")
    self.ecs_backend._validate_container_defs(
        given["memory"], given["containerDefinitions"], given.get("requiresCompatibilities")
    )
    ecs_definitions.check(given)
    definition = self.ecs_backend.register_task_definition(
        given["family"],
        given["containerDefinitions"],
        volumes=given.get("volumes"),
        network_mode=given.get("networkMode"),
        tags=given.get("tags"),
        placement_constraints=given.get("placementConstraints"),
        requires_compatibilities=given.get("requiresCompatibilities"),
        cpu=given["cpu"],
        memory=given["memory"],
        task_role_arn=given.get("taskRoleArn"),
        execution_role_arn=given.get("executionRoleArn"),
        proxy_configuration=given.get("proxyConfiguration"),
        inference_accelerators=given.get("inferenceAccelerators"),
        runtime_platform=given.get("runtimePlatform"),
        ipc_mode=given.get("ipcMode"),
        pid_mode=given.get("pidMode"),
        ephemeral_storage=given.get("ephemeralStorage"),
    )
    vars(definition)["registered_at"] = datetime.now(UTC)  # moto answers with whatever has a name of the model
    if "enableFaultInjection" in given:
        vars(definition)["enable_fault_injection"] = given["enableFaultInjection"]
    return ActionResult({"taskDefinition": definition, "tags": definition.tags})


def run_task(self: EC2ContainerServiceResponse) -> ActionResult:
    """Write down tasks that an agent starts: "Starts a new task using the specified task definition."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
    """
    tasks = ecs_running.run(self.ecs_backend, dict(self.params))
    return ActionResult({"tasks": [one.told for one in tasks], "failures": []})


def start_task(self: EC2ContainerServiceResponse) -> ActionResult:
    """Refuse: it places a task on a container instance of one's own, and here are none."""
    raise invalid("No Container Instances were found in your cluster.")


def stop_task(self: EC2ContainerServiceResponse) -> ActionResult:
    """Say that a task shall end: "the message appears in subsequent DescribeTasks API operations on this task".

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
    """
    task = find_task(self.ecs_backend, self._get_param("cluster"), self._get_param("task"))
    task.stop(self._get_param("reason") or "Task stopped by user", "UserInitiated")
    return ActionResult({"task": task.told})


def describe_tasks(self: EC2ContainerServiceResponse) -> ActionResult:
    """Return tasks as they are, which changes nothing, and what is not there among the failures, as MISSING.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
    """
    cluster, asked = cluster_of(self.ecs_backend, self._get_param("cluster")), self._get_param("tasks", [])
    if not asked:
        raise invalid("Tasks cannot be empty.")
    if len(asked) > PAGE:
        raise invalid(f"Tasks cannot have more than {PAGE} elements.")
    in_answer = self._include_in_response if "TAGS" in self._get_param("include", []) else self._exclude_from_response
    in_answer(DESCRIBE_TASKS_TAGS)
    kept = {one.id: one for one in _tasks(self.ecs_backend, cluster.name)}
    found = [kept[name.rpartition("/")[2]] for name in asked if name.rpartition("/")[2] in kept]
    missing = [name for name in asked if name.rpartition("/")[2] not in kept]
    failures = [{"arn": ecs_running.arn_of(cluster, name), "reason": MISSING} for name in missing]
    return ActionResult({"tasks": [one.told for one in found], "failures": failures})


def list_tasks(self: EC2ContainerServiceResponse) -> ActionResult:
    """Return the ARNs of tasks: "The default status filter is RUNNING, which shows tasks that Amazon ECS has set the
    desired status to RUNNING."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
    """
    cluster, service = cluster_of(self.ecs_backend, self._get_param("cluster")), self._get_param("serviceName")
    wanted = {
        "desiredStatus": self._get_param("desiredStatus") or "RUNNING",
        "startedBy": self._get_param("startedBy"),
        "launchType": self._get_param("launchType"),
        "containerInstanceArn": self._get_param("containerInstance"),
        "group": f"service:{service.rpartition('/')[2]}" if service else None,
    }
    family = self._get_param("family")
    arns = [
        one.task_arn
        for one in _tasks(self.ecs_backend, cluster.name)
        if all(value is None or one.told.get(key) == value for key, value in wanted.items())
        and family in (None, one.definition.family)
    ]
    start, size = int(self._get_param("nextToken") or 0), self._get_int_param("maxResults") or PAGE
    page = {"nextToken": str(start + size)} if len(arns) > start + size else {}
    return ActionResult({"taskArns": arns[start : start + size], **page})


def submit_task_state_change(self: EC2ContainerServiceResponse) -> ActionResult:
    """Take over what an agent says: "Sent to acknowledge that a task changed states."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_SubmitTaskStateChange.html
    """
    task = find_task(self.ecs_backend, self._get_param("cluster"), self._get_param("task"))
    for one in self._get_param("containers", []):
        task.take(one)
    if health := self._get_param("managedAgents", []):
        task.take_health(health)
    moments = {key: self._get_param(key) for key in ("pullStartedAt", "pullStoppedAt", "executionStoppedAt")}
    task.advance(self._get_param("status") or task.told["lastStatus"], self._get_param("reason") or "", moments)
    count_tasks(self.ecs_backend, task.told["clusterArn"])
    return ActionResult({"acknowledgment": "ACK"})


def submit_container_state_change(self: EC2ContainerServiceResponse) -> ActionResult:
    """Take over what an agent says: "Sent to acknowledge that a container changed states."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_SubmitContainerStateChange.html
    """
    task = find_task(self.ecs_backend, self._get_param("cluster"), self._get_param("task"))
    task.take(dict(self.params))
    return ActionResult({"acknowledgment": "ACK"})


def delete_cluster(self: EC2ContainerServiceResponse) -> ActionResult:
    """Refuse while tasks are active: "You can't delete a cluster that has active tasks", ClusterContainsTasksException.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html
    """
    cluster = cluster_of(self.ecs_backend, self._get_param("cluster"))
    if any(not one.is_stopped for one in _tasks(self.ecs_backend, cluster.name)):
        raise ECSException("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    return _delete_cluster(self)


def all_tasks() -> list[Task]:
    """Return the tasks of all accounts and regions, for the agent."""
    regions = [region for account in list(ecs_backends.values()) for region in list(account.values())]
    return [one for region in regions for name in list(region.tasks) for one in _tasks(region, name)]


def _tasks(backend: EC2ContainerServiceBackend, cluster: str) -> list[Task]:
    kept: dict[str, Any] = backend.tasks.get(cluster, {})
    return list(kept.values())


def add() -> None:
    """Put them in place of moto's, or beside them."""
    for operation in (
        register_task_definition,
        run_task,
        start_task,
        stop_task,
        describe_tasks,
        list_tasks,
        submit_task_state_change,
        submit_container_state_change,
        delete_cluster,
    ):
        setattr(EC2ContainerServiceResponse, operation.__name__, operation)

"""Jobs as tasks of ECS: each with a definition of its own, its secrets by reference, and its files out through S3."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from delivery.aws.access import AwsAccess
from delivery.aws.ecr import EcrImages
from delivery.aws.failures import aws_errors
from delivery.aws.image_config import image_defaults
from delivery.aws.secrets import put_secret
from delivery.aws.task_definition import PROGRAM, UPLOAD_VARIABLE, TaskSettings, job_definition
from delivery.aws.task_files import FOLDER, take, upload_url, uploaded
from delivery.aws.task_logs import save_log, stream_of
from delivery.aws.tasks import AROUND_SECONDS, Task, Tasks, trouble_of
from delivery.changes.ledger import LABEL_APP, LABEL_ENVIRONMENT, LABEL_RUN
from delivery.log_files import last_lines
from delivery.ports.jobs import ImageDefaults, Job, JobResult, Reports
from delivery.ports.settings import EnvironmentSettings
from delivery.redaction import Redaction

TIME_IS_OVER = "its time is over"


def secret_variables(job: Job) -> dict[str, str]:
    """Return the variables whose values nobody may read in a task definition, also those that only contain a secret."""
    hidden = [secret.get_secret_value() for secret in (*job.secrets.values(), *job.hide)]
    named = {variable: secret.get_secret_value() for variable, secret in job.secrets.items()}
    found = {name: value for name, value in job.env.items() if any(one and one in value for one in hidden)}
    return {**found, **named}


class EcsJobs:
    """Runs programs as tasks beside an environment."""

    def __init__(self, access: AwsAccess, settings: TaskSettings, environment: EnvironmentSettings) -> None:
        self.access, self.settings, self.environment = access, settings, environment
        self.tasks, self.images = Tasks(access.client("ecs"), settings), EcrImages(access)

    def image_defaults(self, image: str) -> ImageDefaults:
        """Return what an image in ECR runs by itself; of one elsewhere nothing is known, and its own words hold."""
        return image_defaults(self.images, image)

    def run(self, job: Job) -> JobResult:
        """Run `job` to its end; definition, secret and files are gone then, its log stays in its group."""
        started, upload = time.monotonic(), f"{FOLDER}/{job.run}/{job.name}.tar.gz"
        with self._referred(job, upload) as references, self._defined(job, references) as definition:
            task = self.tasks.start(definition, job.run)
            ended = self._ended(job, task)
            hide = Redaction([*job.secrets.values(), *job.hide])
            stream = stream_of(job.run, PROGRAM, task.id)
            save_log(self.access.client("logs"), self.settings.log_group, stream, job.log, hide)
            reports = self._reports(job, upload)
        code = ended.exit_code if ended else None
        remark = ended.reason if ended and code else ""
        return JobResult(code, time.monotonic() - started, last_lines(job.log), reports, remark)

    def _ended(self, job: Job, task: Task) -> Task | None:
        """Return the task at its end; none when the time of its program was over before."""
        try:
            begun = self.tasks.until_begun(task)
            if begun.has_begun:
                job.begun()
            ended = self.tasks.until_ended(begun, job.timeout_seconds)
            stopped = self.tasks.until_stopped(ended) if ended else self.tasks.stop(task, TIME_IS_OVER)
        except BaseException:
            self.tasks.stop(task, "given up")
            raise
        if problem := trouble_of(stopped, job.image):
            raise problem
        return stopped if ended else None

    def _reports(self, job: Job, upload: str) -> tuple[Reports, ...]:
        if not job.reports:
            return ()
        with uploaded(self.access.client("s3"), self.settings.bucket, upload) as folder:
            return tuple(take(folder, pattern, job.report_dir, limit) for pattern, limit in job.reports.items())

    @contextmanager
    def _referred(self, job: Job, upload: str) -> Iterator[dict[str, str]]:
        """Keep the job's secrets for as long as it runs, and yield variable → how a task definition refers to it."""
        values = secret_variables(job)
        if job.reports:
            lasts = job.timeout_seconds + 2 * AROUND_SECONDS
            values[UPLOAD_VARIABLE] = upload_url(self.access.client("s3"), self.settings.bucket, upload, lasts)
        if not values:
            yield {}
            return
        client, name = self.access.client("secretsmanager"), self._name(job)
        arn = put_secret(client, name, json.dumps(values), tags=self._labels(job.run))
        try:
            yield {variable: f"{arn}:{variable}::" for variable in values}
        finally:
            with aws_errors("secretsmanager"):
                client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)

    @contextmanager
    def _defined(self, job: Job, references: dict[str, str]) -> Iterator[str]:
        """Register the job's task definition for as long as it runs."""
        client, region = self.tasks.client, self.tasks.client.meta.region_name
        family = f"{self._name(job).replace('/', '-')}"[:255]
        with aws_errors("ecs"):
            asked = job_definition(
                job,
                self.settings,
                family=family,
                region=region,
                references=references,
                tags=self._labels(job.run),
            )
            arn = str(client.register_task_definition(**asked)["taskDefinition"]["taskDefinitionArn"])
        try:
            yield arn
        finally:
            with aws_errors("ecs"):
                client.deregister_task_definition(taskDefinition=arn)

    def _labels(self, run: str) -> dict[str, str]:
        return {
            LABEL_APP: self.environment.app,
            LABEL_ENVIRONMENT: self.environment.environment,
            LABEL_RUN: run,
        }

    def _name(self, job: Job) -> str:
        return f"headway/{self.environment.app}/{self.environment.environment}/{job.run}/{job.name}"

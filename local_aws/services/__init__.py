"""What is ours on top of moto's services."""

from local_aws.services import (
    autoscaling,
    backup,
    cloudwatch,
    cloudwatch_traffic,
    codedeploy,
    codedeploy_deployments,
    ec2,
    ecr,
    ecs,
    ecs_deployments,
    ecs_services,
    elbv2,
    iam,
    rds,
    s3,
    secrets,
)


def add_ours() -> None:
    """Put our operations in place of moto's, or beside them, before anything is asked."""
    autoscaling.add()
    backup.add()
    cloudwatch.add()
    cloudwatch_traffic.add()
    codedeploy.add()
    codedeploy_deployments.add()
    ec2.add()
    secrets.add()
    s3.add()
    ecs.add()
    ecs_services.add()
    ecs_deployments.add()
    elbv2.add()
    ecr.add()
    iam.add()
    rds.add()

"""What stands in headway.yaml about the region that backups of a database on RDS are copied to."""

from pydantic import Field

from delivery.model import Model


class SecondRegionTasks(Model):
    """What runs a program beside a database that was restored there: without it nobody reads what is in one."""

    cluster: str | None = Field(None, description="name of a cluster there")
    subnets: tuple[str, ...] = Field((), description="subnets of tasks")
    security_groups: tuple[str, ...] = Field((), description="security groups of tasks, which the database lets in")
    execution_role: str | None = Field(None, description="ARN of the role that tasks are started with")
    log_group: str | None = Field(None, description="where they write")
    public_address: bool = Field(False, description="whether tasks get one: in subnets without a gateway")


class SecondRegion(Model):
    """Where AWS Backup copies backups to, and what a database is restored with there.

    What is not said here is taken from the outputs `backup` and `second_region` of the environment's infrastructure.
    """

    vault: str | None = Field(None, description="name of the vault that backups are taken into, in the first region")
    copy_vault: str | None = Field(None, description="ARN of the vault that they are copied to: it says the region")
    role: str | None = Field(None, description="ARN of the role that AWS Backup works as")
    keep_days: int = Field(35, ge=1, description="how long both vaults keep what Headway sends: as locked vaults ask")
    subnet_group: str | None = Field(None, description="DB subnet group that a database is restored into")
    security_groups: tuple[str, ...] = Field((), description="security groups of a database that is restored")
    parameter_group: str | None = Field(None, description="its DB parameter group; none: AWS's default")
    tasks: SecondRegionTasks = Field(SecondRegionTasks(), description="what reads a restored database there")

"""A shop's database on RDS, for tests of backups: what is in it, and the groups that its instance is in."""

from delivery.programs.postgres_change import in_database
from tests.support.local_aws import REGION

GROUPS = {"DBSubnetGroupName": "shop-subnets", "DBParameterGroupName": "shop-parameters"}
FILLED = """
create table parcel (id serial primary key, note text);
insert into parcel (note) select 'parcel ' || n from generate_series(1, 20) n;
create materialized view counted as select count(*) from parcel;
create schema own; create table own.one as select 1 as n;
alter database app set lock_timeout = '5s';
select lo_from_bytea(4711, 'of the shop');
"""


def make_groups(server, region=REGION):
    """Make a subnet group and a parameter group, and return a security group; AWS would choose none of them."""
    ec2, rds = server.client("ec2", region=region), server.client("rds", region=region)
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{n}.0/24", AvailabilityZone=f"{region}{zone}")["Subnet"][
            "SubnetId"
        ]
        for n, zone in enumerate("ab")
    ]
    rds.create_db_subnet_group(DBSubnetGroupName="shop-subnets", DBSubnetGroupDescription="-", SubnetIds=subnets)
    rds.create_db_parameter_group(
        DBParameterGroupName="shop-parameters", DBParameterGroupFamily="postgres15", Description="-"
    )
    return ec2.create_security_group(GroupName="database", Description="-", VpcId=vpc)["GroupId"]


def as_application(opened, script, name="app"):
    return opened.database.run_script(in_database(name) + script, opened.database.find()).split()


def copies(server):
    found = server.client("rds").describe_db_instances()["DBInstances"]
    return {one["DBInstanceIdentifier"] for one in found if one["DBInstanceStatus"] != "deleting"} - {"shop"}

"""`make verify-aws` is ready for whoever has an account: what it asks passes where an account is a local one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from delivery.platform.local_aws import variables
from tests.support.aws_room import COURIER, make_room
from tests.support.local_aws import local_aws
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.xdist_group("local-aws-verify")]
ROOT = Path(__file__).parents[2]


def verified(**more: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "pytest", "tests/verify_aws", "-m", "long or not long", "-p", "no:cacheprovider"]
    env = os.environ | {"HEADWAY_VERIFY_AWS": "1"} | more
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=1200)


def test_an_account_is_verified_with_all_contracts_and_nothing_is_left_there(tmp_path):
    with own_platform(tmp_path / "home") as home, local_aws(home.root) as server:
        server.client("s3").create_bucket(Bucket="unused")
        room = make_room(server.client, "unused")
        named = {
            "CLUSTER": room.cluster,
            "SUBNETS": ",".join(room.subnets),
            "SECURITY_GROUPS": ",".join(room.security_groups),
            "EXECUTION_ROLE": room.execution_role,
            "LOG_GROUP": room.log_group,
            "IMAGE": "busybox",
            "COURIER_IMAGE": COURIER,
        }
        given = {f"HEADWAY_VERIFY_AWS_{key}": value for key, value in named.items()}
        whole = verified(**variables(server.url), **given)
        without_tasks = verified(**variables(server.url))
        left = [one["Name"] for one in server.client("s3").list_buckets()["Buckets"]]
        repositories = server.client("ecr").describe_repositories()["repositories"]
        secrets = server.client("secretsmanager").list_secrets()["SecretList"]

    assert whole.returncode == 0, whole.stdout[-3000:]
    assert int(re.search(r"(\d+) passed", whole.stdout)[1]) > 25
    assert without_tasks.returncode == 1
    assert "set HEADWAY_VERIFY_AWS_CLUSTER, HEADWAY_VERIFY_AWS_SUBNETS" in without_tasks.stdout
    assert (left, repositories, secrets) == (["unused"], [], [])

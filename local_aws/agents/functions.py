"""Functions of Lambda, as processes of this machine's Python: its own packages are there, boto3 among them.

What it cannot do: another language, layers, limits of memory, an account other than the one that keys without a name
are of.
"""

import io
import json
import os
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from moto.awslambda.models import LambdaFunction, lambda_backends

from delivery.errors import HeadwayError
from delivery.programs.run import run
from local_aws.installation import current
from local_aws.own_client import KEYS

SECONDS = 60
LAUNCH = """
import importlib, json, sys
sys.path.insert(0, ".")
module, _, name = sys.argv[1].rpartition(".")
getattr(importlib.import_module(module), name)(json.loads(sys.stdin.read()), None)
"""


def call(account: str, region: str, name: str, event: dict[str, Any]) -> str:
    """Call a function, by its name or ARN, and return what went wrong; empty when nothing did."""
    try:
        found: LambdaFunction = lambda_backends[account][region].get_function(name)
    except Exception as error:  # moto has several for "there is none"
        return str(error)
    with tempfile.TemporaryDirectory(prefix="function-") as folder:
        with zipfile.ZipFile(io.BytesIO(found.code_bytes)) as code:
            code.extractall(folder)
        try:
            run(
                [sys.executable, "-c", LAUNCH, str(found.handler)],
                timeout_seconds=SECONDS,
                cwd=Path(folder),
                env=_environment(found, region),
                stdin=json.dumps(event),
            )
        except HeadwayError as error:
            return str(error)
    return ""


def _environment(found: LambdaFunction, region: str) -> dict[str, str | None]:
    """Return what a function sees: no credentials of whoever started the local AWS."""
    nobodys = {name: None for name in os.environ if name.startswith(("AWS_", "PREFECT_", "HEADWAY_", "PYTHON"))}
    return {
        **nobodys,
        "AWS_ENDPOINT_URL": current().url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
        "NO_PROXY": "*",
        **found.environment_vars,
    }

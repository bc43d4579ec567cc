"""The two stacks of infra/aws as an application would use them, against a local AWS."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from delivery.platform.local_aws import variables
from tests.architecture.sources import ROOT
from tests.support.local_aws import Server
from tests.support.terraform_mirror import variables_for

AWS = ROOT / "infra" / "aws"
HEADWAY = "arn:aws:iam::123456789012:role/headway"
OF_ALL = {"app": "shop", "region": "us-east-1", "owner": "team-shop"}
SHARED = {**OF_ALL, "images": ["web"], "evidence_bucket": "team-evidence", "pulling_accounts": ["210987654321"]}
SERVICES = {
    "web": {"port": 8000, "image": "busybox", "health_path": "/health", "env": {"LOG_LEVEL": "info"}},
    "api": {"port": 9000, "image": "busybox", "paths": ["/api/*"], "priority": 50},
    "worker": {"image": "busybox", "most": 1},
}
ENVIRONMENT = {
    **OF_ALL,
    "copy_region": "us-west-2",
    "bucket_prefix": "team",
    "artifacts": "arn:aws:s3:::team-evidence",
    "trusted": [HEADWAY],
    "auth": {"kind": "cognito", "domain": "team-shop"},
    "services": SERVICES,
    "testers": ["10.0.0.0/16"],
}


# Modules that no stack of ours has: teams call them from stacks of their own.
APART = """
module "state" {
  source     = "../modules/state"
  bucket     = "team-terraform-state"
  lock_table = "team-terraform-locks"
}
module "runner" {
  source      = "../modules/runner"
  name        = "flows"
  region      = var.region
  vpc_id      = "vpc-0123456789abcdef0"
  image       = "registry.example.org/headway:1"
  engine      = "ssh://deploy@builder"
  store       = "s3://team-evidence/headway"
  artifacts   = var.artifacts
  prefect_api = "https://prefect.example.org/api"
  prefect_key = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prefect-abc123"
  phase_roles = ["arn:aws:iam::123456789012:role/shop-release"]
}
"""


class StackOfOurs:
    """A copy of a stack, with its state in a folder, which is asked for by Terraform itself."""

    def __init__(self, name: str, folder: Path, server: Server) -> None:
        shutil.copytree(AWS, folder / "aws", dirs_exist_ok=True)
        if name == "apart":
            shutil.copytree(AWS / "environment", folder / "aws" / name)
            (folder / "aws" / name / "outputs.tf").unlink()
            (folder / "aws" / name / "main.tf").write_text(APART)
        self.folder, self.data, self.server = folder / "aws" / name, folder / f"data-{name}", server
        backend = f'terraform {{\n  backend "local" {{\n    path = "{folder / "state" / name}"\n  }}\n}}\n'
        (self.folder / "override.tf").write_text(backend)
        self.run("init", "-input=false")

    def run(self, *argv: str, accept: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        env = (
            os.environ | variables_for(self.data.parent) | variables(self.server.url) | {"TF_DATA_DIR": str(self.data)}
        )
        done = subprocess.run(["terraform", *argv], cwd=self.folder, env=env, capture_output=True, text=True)
        assert done.returncode in accept, done.stdout[-2000:] + done.stderr[-4000:]
        return done

    def plan(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the plan as Terraform describes it."""
        values = self.data / "values.json"
        values.write_text(json.dumps({**given, "aws_endpoint": self.server.url}))
        self.run("plan", "-input=false", f"-out={self.data / 'plan'}", f"-var-file={values}")
        return dict(json.loads(self.run("show", "-json", str(self.data / "plan")).stdout))


def resources(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all resources that a plan would make, those of modules among them."""

    def of(module: dict[str, Any]) -> list[dict[str, Any]]:
        found = list(module.get("resources", ()))
        return found + [one for child in module.get("child_modules", ()) for one in of(child)]

    return [{"values": {}, **one} for one in of(plan["planned_values"]["root_module"]) if one["mode"] == "managed"]


def policies(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of all policies that are known in a plan: those of documents and those of roles."""

    def documents(module: dict[str, Any]) -> list[str]:
        found = [one["values"].get("json") for one in module.get("resources", ()) if "values" in one]
        return [one for one in found if one] + [
            text for child in module.get("child_modules", ()) for text in documents(child)
        ]

    known = documents(plan["prior_state"]["values"]["root_module"]) if "prior_state" in plan else []
    known += [one["values"]["policy"] for one in resources(plan) if one["values"].get("policy")]
    statements = [statement for text in known for statement in json.loads(text).get("Statement", ())]
    return [one for one in statements if isinstance(one, dict)]

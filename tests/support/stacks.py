"""Stacks of Terraform for tests: without a provider of anybody's, so that they take no time and no download."""

import shutil
from pathlib import Path

import pytest

from delivery.spec.infrastructure import Infrastructure
from delivery.terraform.infrastructure import StackPlace, TerraformInfrastructure
from tests.support.local_aws import Server

needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="terraform is not installed: what it does is not tried"
)
STACK = """
terraform {{
  required_version = ">= 1.11"
  {backend}
}}
variable "size" {{ type = string }}
variable "names" {{
  type    = set(string)
  default = []
}}
resource "terraform_data" "web" {{ input = var.size }}
resource "terraform_data" "named" {{
  for_each         = var.names
  triggers_replace = var.size
}}
output "url" {{ value = terraform_data.web.output }}
output "password" {{
  value     = "canary-7c1e"
  sensitive = true
}}
"""
PASSWORD = "canary-7c1e"


def in_folder(state: Path) -> str:
    return f"""backend "local" {{
    path = "{state / "terraform.tfstate"}"
    workspace_dir = "{state}"
  }}"""


def in_s3(server: Server, bucket: str) -> str:
    """A backend on a local AWS, which is told all that differs from AWS."""
    endpoints = "\n".join(f'{one} = "{server.url}"' for one in ("s3", "sts", "iam", "dynamodb"))
    return f"""backend "s3" {{
    bucket = "{bucket}"
    key = "shop.tfstate"
    region = "us-east-1"
    use_lockfile = true
    use_path_style = true
    access_key = "local"
    secret_key = "local"
    skip_credentials_validation = true
    skip_metadata_api_check = true
    skip_requesting_account_id = true
    skip_region_validation = true
    endpoints = {{
      {endpoints}
    }}
  }}"""


def write_stack(folder: Path, backend: str, text: str = STACK) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.tf").write_text(text.format(backend=backend))
    return folder


def make_infrastructure(
    source: Path, home: Path, *, environment: str = "staging", run: str = "run-1", **config: object
) -> TerraformInfrastructure:
    """Return the port for the stack in `source`/stack."""
    given = {"terraform": "stack", "variables": {"size": "small"}, "lock_seconds": 0, **config}
    return TerraformInfrastructure(
        Infrastructure.model_validate(given), StackPlace("shop", environment, run, source, home)
    )

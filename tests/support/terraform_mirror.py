"""The AWS provider of Terraform, where this machine has it: found by its layout, for nothing is downloaded in tests."""

import os
from functools import cache
from pathlib import Path

import pytest

# Where Terraform itself looks without a configuration, and where machines keep mirrors:
# https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
PLACES = ("~/.terraform.d/plugins", "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/*")
LAYOUT = "*/hashicorp/aws/*/*/terraform-provider-aws*"


@cache
def provider_mirror() -> Path | None:
    """Return the mirror with the provider, or none."""
    for place in PLACES:
        above = Path(place).expanduser()
        for folder in sorted(above.parent.glob(above.name)):
            if folder.is_dir() and any(folder.glob(LAYOUT)):
                return folder
    return None


needs_provider = pytest.mark.skipif(
    provider_mirror() is None, reason="the AWS provider of Terraform is not on this machine: stacks are not planned"
)


def write_configuration(folder: Path) -> Path:
    """Write a configuration of Terraform that takes providers from the mirror alone, and return its path."""
    path = folder / "terraform.rc"
    path.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{provider_mirror()}" }}\n}}\n')
    return path


def variables_for(folder: Path) -> dict[str, str]:
    """Return what tells Terraform of the mirror."""
    return {"TF_CLI_CONFIG_FILE": os.fspath(write_configuration(folder)), "CHECKPOINT_DISABLE": "1"}

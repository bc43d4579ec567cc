"""Recipes of base images that a test may change."""

import secrets
import shutil
from pathlib import Path

from delivery.docker.images.stand_ins import RECIPES


def copied_recipes(folder: Path) -> Path:
    """A copy of the recipes whose images are nobody else's."""
    copied = folder / "bases"
    shutil.copytree(RECIPES, copied, symlinks=True)
    (copied / "common" / "rootfs" / "unique").write_text(secrets.token_hex(8))
    return copied

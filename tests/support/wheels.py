"""Headway as its users have it: a wheel, installed as a tool of its own, with no checkout in sight."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.sources import ROOT, tracked

UV = Path(sys.executable).parent / "uv"
# What is installed shall find its packages by itself, and may keep them compiled, as at its user's.
OF_THE_CHECKOUT = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "HEADWAY_STARTED")
BUILD_SECONDS = 300
INSTALL_SECONDS = 600


@dataclass(frozen=True)
class Tool:
    """What `uv tool install` made in a folder of its own."""

    folder: Path

    @property
    def headway(self) -> Path:
        """The command, as it lies on its user's PATH."""
        return self.folder / "bin" / "headway"

    @property
    def python(self) -> Path:
        """The Python of the tool's own environment."""
        return self.folder / "tools" / "headway" / "bin" / "python"


def build_wheel(folder: Path) -> Path:
    """Build the wheel from what is tracked, and nothing that lies beside it."""
    source = folder / "source"
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name, follow_symlinks=False)
    argv = [str(UV), "build", "-q", "--no-build-isolation", "--python", sys.executable]
    _run([*argv, "--out-dir", str(folder), str(source)], BUILD_SECONDS)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install_tool(wheel: Path, folder: Path) -> Tool:
    """Install the wheel with the versions of the lock, into an empty environment in `folder`."""
    argv = [str(UV), "tool", "install", "--python", sys.executable, "--constraints", str(ROOT / "requirements.lock")]
    places = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    _run([*argv, str(wheel)], INSTALL_SECONDS, places)
    return Tool(folder)


def environment_without_checkout() -> dict[str, str]:
    """Return this process's environment without what leads to the checkout's own programs and packages."""
    ours = str(Path(sys.executable).parent)
    path = os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if folder != ours)
    return {name: value for name, value in os.environ.items() if name not in OF_THE_CHECKOUT} | {"PATH": path}


def _run(argv: list[str], seconds: float, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=seconds, env=environment_without_checkout() | (env or {})
    )
    assert done.returncode == 0, done.stderr

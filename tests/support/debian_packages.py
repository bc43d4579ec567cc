"""Programs of Debian that a test needs and the machine may not have: unpacked into a folder, nothing is installed."""

import os
from pathlib import Path

from delivery.programs.run import run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def unpack(folder: Path, *packages: str, suite: str = "bookworm") -> Path:
    """Unpack packages of a suite, from the machine's own sources, and return the folder that is their root."""
    sources = [line for line in _one_line_sources() if " bookworm " in line]
    for name in ("lists/partial", "archives/partial", "debs", "root"):
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text("\n".join(line.replace(" bookworm ", f" {suite} ") for line in sources) + "\n")
    settings = {
        "Dir::State::status": "/dev/null",
        "Dir::State::lists": f"{folder}/lists",
        "Dir::Cache": str(folder),
        "Dir::Cache::archives": f"{folder}/archives",
        "Dir::Etc::sourcelist": f"{folder}/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Sandbox::User": "root",
    }
    (folder / "apt.conf").write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()))
    env = {"APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}
    run(["apt-get", "update", "-q"], timeout_seconds=300, env=env)
    run(["apt-get", "download", "-q", *packages], timeout_seconds=300, env=env, cwd=folder / "debs")
    for package in (folder / "debs").glob("*.deb"):
        run(["dpkg-deb", "--extract", str(package), str(folder / "root")], timeout_seconds=60)
    return folder / "root"


def with_programs_of(root: Path) -> dict[str, str]:
    """Return the variables under which the programs unpacked there find each other and their libraries."""
    return {
        **os.environ,
        "PATH": f"{root}/usr/bin:{root}/usr/sbin:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": f"{root}/usr/lib/x86_64-linux-gnu",
    }


def _one_line_sources() -> list[str]:
    """Return the machine's sources of packages, one a line, whatever form they are kept in."""
    form = f"deb [signed-by={KEYRING}] $(REPO_URI) $(RELEASE) $(COMPONENT)"
    said = run(["apt-get", "indextargets", "--format", form], timeout_seconds=60).stdout
    return sorted({line for line in said.splitlines() if line.startswith("deb ")})

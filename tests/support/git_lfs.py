"""Git LFS itself, from Debian's package, laid out in a folder and not installed."""

import subprocess
from pathlib import Path


def unpack_git_lfs(folder: Path) -> Path:
    """Return the folder with `git-lfs`; the machine's package lists are used, or read anew beside its own."""
    programs = folder / "usr" / "bin"
    if programs.exists():
        return programs
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    own = ["-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}", "-o", "APT::Sandbox::User=root"]
    if subprocess.run(["apt-get", "-q", "download", "git-lfs"], cwd=folder, capture_output=True).returncode:
        subprocess.run(["apt-get", "-q", *own, "update"], check=True, cwd=folder, capture_output=True)
        subprocess.run(["apt-get", "-q", *own, "download", "git-lfs"], check=True, cwd=folder, capture_output=True)
    (package,) = folder.glob("git-lfs_*.deb")
    subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True)
    return programs

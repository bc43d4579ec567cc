"""Where the files are that Headway brings beside its code, in a checkout and installed from a wheel alike."""

from importlib.resources import files
from pathlib import Path


def package_data(name: str) -> Path:
    """Return the file or folder `name` of `infra/`, which is a package so that a wheel carries what lies in it."""
    return Path(str(files("infra"))) / name

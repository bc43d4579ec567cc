"""The folder in which Docker's programs look for logins, with that of the platform's own registry in it."""

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path

FILE = "config.json"


def login_file(login: Mapping[str, str], beside: Mapping[str, object] | None = None) -> bytes:
    """Return the file with one more login, as `docker login` writes it without a store for passwords."""
    known = base64.b64encode(f"{login['username']}:{login['password']}".encode()).decode()
    content = dict(beside or {})
    others = content.get("auths")
    logins = {**(others if isinstance(others, dict) else {}), login["serveraddress"]: {"auth": known}}
    return json.dumps({**content, "auths": logins}).encode()


def client_folder(folder: Path, login: Mapping[str, str]) -> Path:
    """Make `folder` what DOCKER_CONFIG may name: all that the user's own has, and the login; return it.

    Where the user's logins lie in a store of the system (`credsStore`), programs look for this one there as well, in
    vain.
    """
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    folder.mkdir(mode=0o700)
    for path in own.iterdir() if own.is_dir() else ():
        if path.name != FILE:
            (folder / path.name).symlink_to(path)
    try:
        beside = json.loads((own / FILE).read_bytes())
    except (OSError, ValueError):
        beside = {}
    (folder / FILE).touch(0o600)
    (folder / FILE).write_bytes(login_file(login, beside if isinstance(beside, dict) else {}))
    return folder

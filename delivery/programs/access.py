"""How a repository elsewhere is reached with a deploy key or a token: neither is in an address, argument or setting."""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pydantic import SecretStr

from delivery.errors import CommandFailed, HeadwayError, Misconfigured
from delivery.programs.run import run

TOKEN_VARIABLE = "HEADWAY_GIT_TOKEN"  # noqa: S105 - the name of a variable
CONNECT_SECONDS = 20
LOOK_SECONDS = 20
# Whatever asks for a name gets one that every host of repositories takes beside a token.
ASKPASS = f"""#!/bin/sh
case "$1" in
Username*) echo x-access-token ;;
*) printf '%s\\n' "${TOKEN_VARIABLE}" ;;
esac
"""
_SSH = re.compile(r"(?:ssh://)?(?:[^@/]+@)(?P<host>[\w.-]+|\[[0-9a-f:]+\])(?::(?P<port>\d+)(?=/))?[:/]", re.IGNORECASE)


@dataclass(frozen=True)
class Access:
    """By what a repository is reached; `known_hosts` are lines as ssh(1) keeps them, and no other host is believed."""

    deploy_key: SecretStr | None = field(default=None, repr=False)
    token: SecretStr | None = field(default=None, repr=False)
    known_hosts: str = ""


class GitWay(NamedTuple):
    """What git is started with to reach it: variables and settings."""

    env: Mapping[str, str] = {}
    settings: Mapping[str, str] = {}


@contextmanager
def way_of(access: Access | None) -> Iterator[GitWay]:
    """Yield with what git reaches a repository; the files for it are its owner's alone, and gone afterwards."""
    if access is None or not (access.deploy_key or access.token):
        yield GitWay()
        return
    with TemporaryDirectory(prefix="headway-git-") as temporary:
        folder = Path(temporary)
        yield _by_key(access, access.deploy_key, folder) if access.deploy_key else _by_token(access, folder)


def known_hosts_of(address: str, file: Path | None = None) -> str:
    """Return what this user's ssh knows of the host of an address, empty for one that is not reached by SSH.

    Raises Misconfigured, with what to do, when it knows nothing: whoever answers first would be believed.
    """
    found = _SSH.match(address)
    if not found or address.lower().startswith(("https:", "file:")):
        return ""
    host = f"[{found['host']}]:{found['port']}" if found["port"] else found["host"]
    option = ["-f", str(file)] if file else []
    try:
        said = run(["ssh-keygen", "-F", host, *option], timeout_seconds=LOOK_SECONDS, accept=(0, 1)).stdout
    except CommandFailed:
        said = ""  # there is no such file yet
    except HeadwayError as error:
        raise Misconfigured("ssh", str(error), next_step="sudo apt-get install openssh-client") from error
    lines = [line for line in said.splitlines() if line and not line.startswith("#")]
    if not lines:
        raise Misconfigured(
            f"ssh host {host}",
            "its key is not known here, and whoever answers first would be believed",
            next_step=f"compare what ssh-keyscan {found['host']} says with what the host publishes,"
            " and add it to ~/.ssh/known_hosts",
        )
    return "\n".join(lines) + "\n"


def _by_key(access: Access, key: SecretStr, folder: Path) -> GitWay:
    identity = _write(folder / "key", key.get_secret_value().replace("\r\n", "\n").rstrip("\n") + "\n", 0o600)
    hosts = _write(folder / "known_hosts", access.known_hosts, 0o600)
    options = {
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": str(hosts),
        "GlobalKnownHostsFile": os.devnull,
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "BatchMode": "yes",
        "ConnectTimeout": str(CONNECT_SECONDS),
    }
    argv = ["ssh", "-F", os.devnull, "-i", str(identity)]
    argv += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    # A command in a variable is one line of the shell for git.
    return GitWay({"GIT_SSH_COMMAND": shlex.join(argv), "GIT_SSH_VARIANT": "ssh"})


def _by_token(access: Access, folder: Path) -> GitWay:
    assert access.token
    program = _write(folder / "askpass", ASKPASS, 0o700)
    env = {"GIT_ASKPASS": str(program), TOKEN_VARIABLE: access.token.get_secret_value()}
    # No helper of the user's is asked, or told; and nobody else is given the token by being redirected to.
    return GitWay(env, {"credential.helper": "", "http.followRedirects": "false"})


def _write(path: Path, text: str, mode: int) -> Path:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    return path

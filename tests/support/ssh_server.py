"""The ssh server of what looks like another machine: OpenSSH's own, in the network namespace of the engine there."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from delivery.programs.run import run
from delivery.waiting import until
from tests.support.debian_packages import unpack, with_programs_of
from tests.support.engines import namespace

PACKAGES = ("openssh-server", "libwrap0")
START_SECONDS = 30
# sshd(8) gives its rights up to a user of that name, and to a folder: both are there for this process alone.
_START = """
mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/shadow" /etc/shadow && mount -t tmpfs none /run
mkdir /run/sshd && exec "$2" -D -e -f "$1/sshd_config"
"""
_SERVER = """
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PermitRootLogin prohibit-password
PidFile none
StrictModes no
UsePAM no
"""
_CLIENT = """
IdentityFile {folder}/key
IdentitiesOnly yes
UserKnownHostsFile {folder}/known_hosts
"""


@contextmanager
def ssh_server(folder: Path, address: str) -> Iterator[Path]:
    """Yield a folder with an `ssh` that root of the machine at `address` lets in, and the server knows its key."""
    programs = unpack(folder / "packages", *PACKAGES)
    for name in ("key", "host_key"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{name}"], timeout_seconds=30)
    (folder / "known_hosts").write_text(f"{address} {(folder / 'host_key.pub').read_text()}")
    (folder / "sshd_config").write_text(_SERVER.format(folder=folder, address=address))
    (folder / "ssh_config").write_text(_CLIENT.format(folder=folder))
    (folder / "passwd").write_text("root:x:0:0::/root:/bin/sh\nsshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n")
    (folder / "shadow").write_text("root:*:19000::::::\nsshd:!:19000::::::\n")
    (folder / "bin").mkdir()
    (folder / "bin" / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {folder}/ssh_config "$@"\n')
    (folder / "bin" / "ssh").chmod(0o755)
    argv = ["nsenter", f"--net=/run/netns/{namespace()}", "unshare", "--mount", "sh", "-ec", _START, "sh"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [*argv, str(folder), f"{programs}/usr/sbin/sshd"],
            stdout=log,
            stderr=log,
            env=with_programs_of(programs),
            start_new_session=True,
        )
    try:
        said = folder / "log"
        assert until(
            lambda: "Server listening" in said.read_text(), seconds=START_SECONDS, every=0.05, unless=server.poll
        ), said.read_text()
        yield folder / "bin"
    finally:
        server.terminate()
        server.wait(START_SECONDS)

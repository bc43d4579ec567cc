"""Docker engines of a test's own, beside the one that everybody uses.

Each has a network namespace of its own: a second engine in the same one takes the first one's bridge away.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import docker
import psutil

from delivery.programs.run import run
from tests.support.debian_packages import unpack, with_programs_of

START_SECONDS = 60
ENGINE_PORT = 2375
# What Debian 13 has and Debian 12 has not: an engine of 2024, and buildx.
NEWER = ("docker.io", "docker-cli", "docker-buildx", "containerd", "libdevmapper1.02.1")
NEWER_SUITE = "trixie"
USUAL = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")


@contextmanager
def other_machine(folder: Path) -> Iterator[str]:
    """Yield the network address of what looks like another machine: it has an engine, at port ENGINE_PORT, and no more.

    What is published there is reached at that address alone.
    """
    outside, inside = (f"10.250.{os.getpid() % 250}.{number}" for number in (1, 2))
    with own_engine(folder, outside=outside, inside=inside):
        yield inside


@contextmanager
def own_engine(
    folder: Path,
    *,
    programs: Path | None = None,
    containerd_store: bool = False,
    outside: str = "",
    inside: str = "",
) -> Iterator[str]:
    """Yield the address of an engine that ends with the test; `programs` holds another one than the machine's.

    With the addresses `outside` and `inside` there is a network between this machine and the engine's.
    """
    name, run_folder = namespace(), Path(tempfile.mkdtemp(prefix="hw-"))  # paths of sockets have at most 107 bytes
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "daemon.json").write_text(
        f'{{"features": {{"containerd-snapshotter": {str(containerd_store).lower()}}}}}'
    )
    argv = [
        *("nsenter", f"--net=/run/netns/{name}", "dockerd", "--data-root", f"{folder}/data"),
        *("--exec-root", str(run_folder), "--pidfile", f"{folder}/pid", "--host", f"unix://{folder}/engine.sock"),
    ]
    if inside:
        argv += ["--host", f"tcp://{inside}:{ENGINE_PORT}", "--tls=false"]
    env = with_programs_of(programs) if programs else dict(os.environ)
    if programs:
        argv += ["--config-file", f"{folder}/daemon.json"]
    run(["ip", "netns", "add", name], timeout_seconds=30)
    run(["ip", "-n", name, "link", "set", "lo", "up"], timeout_seconds=30)
    if inside:
        _connect(name, outside, inside)
    with (folder / "log").open("w") as log:
        engine = subprocess.Popen(argv, stdout=log, stderr=log, env=env, start_new_session=True)
    try:
        yield _answering(f"unix://{folder}/engine.sock", engine, folder / "log")
    finally:
        engine.terminate()
        engine.wait(START_SECONDS)
        _clear(name, folder, run_folder)


def namespace() -> str:
    """Return the name of the network namespace that the engine of this process has, while it has one."""
    return f"headway-{os.getpid()}"


def _connect(name: str, outside: str, inside: str) -> None:
    """Lay a wire between this machine and a namespace; it goes with the namespace."""
    near, far = (f"hw{end}{os.getpid()}" for end in "nf")
    for argv in (
        ["link", "add", near, "type", "veth", "peer", "name", far, "netns", name],
        ["address", "add", f"{outside}/24", "dev", near],
        ["link", "set", near, "up"],
        ["-n", name, "address", "add", f"{inside}/24", "dev", far],
        ["-n", name, "link", "set", far, "up"],
        ["-n", name, "route", "add", "default", "via", outside],
    ):
        run(["ip", *argv], timeout_seconds=30)


def newer_programs(folder: Path) -> Path:
    """Unpack Docker of Debian 13 and its buildx, from the machine's own sources, and return the folder."""
    return unpack(folder, *NEWER, suite=NEWER_SUITE)


def copy_image(name: str, address: str) -> None:
    """Give the engine at `address` an image that the usual one has."""
    with closing(docker.DockerClient(base_url=USUAL)) as usual:
        chunks = b"".join(usual.images.get(name).save(named=name))
    with closing(docker.DockerClient(base_url=address, timeout=120)) as client:
        client.images.load(chunks)


def _clear(name: str, folder: Path, run_folder: Path) -> None:
    """Remove what an engine that ended, or died, left running and mounted."""
    for pid in run(["ip", "netns", "pids", name], timeout_seconds=30).stdout.split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    for shim in psutil.process_iter(["pid", "cmdline"]):
        if any(str(one) in " ".join(shim.info["cmdline"] or ()) for one in (folder, run_folder)):
            shim.kill()
            shim.wait(START_SECONDS)
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in sorted((one for one in mounted if one.startswith((f"{folder}/", f"{run_folder}/"))), reverse=True):
        run(["umount", "--lazy", place], timeout_seconds=30)
    run(["ip", "netns", "del", name], timeout_seconds=30)
    shutil.rmtree(folder / "data")
    shutil.rmtree(run_folder)


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except OSError:
            return False
    return True


def _answering(address: str, engine: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address when the engine answers there."""
    for _ in range(START_SECONDS * 10):
        try:
            engine.wait(0.1)
        except subprocess.TimeoutExpired:
            if not _accepts(address.removeprefix("unix://")):  # the SDK forgets to close a socket that finds nobody
                continue
            with suppress(docker.errors.DockerException), closing(docker.DockerClient(base_url=address)) as client:
                client.ping()
                return address
        else:
            break
    raise AssertionError(f"no engine answers: {log.read_text()[-2000:]}")

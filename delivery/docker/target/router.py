"""The router of an environment: HAProxy in a container, changed without closing a connection.

Everything that changes it runs inside the container under one lock together with the comparison of the lease's
sequence, so a process that lost its lease can change nothing any more. The file it starts from always says what it
does now: a restarted router comes back with the same weights.
"""

import io
import random
import shlex
import tarfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import NamedTuple

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from delivery.changes.ledger import environment_labels
from delivery.docker.engine.exec_stream import KILLED, run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.engine.packing import packed
from delivery.docker.images.bases import resolve_base
from delivery.docker.target.router_runtime import Runtime, Workers
from delivery.docker.target.visit import READ_SECONDS, Visitor
from delivery.errors import Misconfigured, Rejected, Transient
from delivery.home import Home
from delivery.ports.tls import ServerCertificate
from delivery.programs import haproxy, haproxy_runtime
from delivery.programs.haproxy import Entry, RouterBackend
from delivery.programs.haproxy_runtime import ServerStat
from delivery.spec.environments import DockerTarget
from delivery.spec.health import LOCAL_HOST
from delivery.waiting import until

IMAGE = "haproxy:2.6"
FOLDER = "/usr/local/etc/haproxy"
FILE = f"{FOLDER}/haproxy.cfg"
# `-S`: the master tells of every process of a router, those too that a reload has replaced (management guide 9.4).
COMMAND = ["haproxy", "-S", f"127.0.0.1:{haproxy.MASTER_PORT}", "-f", FILE]
START_SECONDS = 20
PORTS_TRIED = 5
ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # what the engine means by no address
ANY_ADDRESSES = (ANY_ADDRESS, "::")
REFUSED = 10  # exit code of the script when a higher sequence was obeyed
LATE = 11  # and when it goes on with its old configuration
BETWEEN = "\x1e"  # ASCII's record separator
# Exit codes of a command in a container that ends just then: the engine could not start it (docker-run(1)), or it was
# killed with its container. Nothing here does harm when it is done twice.
UNDONE = (126, KILLED)

# $1 sequence, $2 what to do once it is allowed. The lock is held over both.
_FENCED = f"""
cd {FOLDER} || exit 9
exec 9>fence.lock
flock 9
have=$(cat fence 2>/dev/null || echo 0)
if [ "$1" -lt "$have" ]; then echo "$have"; exit {REFUSED}; fi
echo "$1" >fence.new && mv fence.new fence
eval "$2"
"""
_SEND = """
send() { if command -v nc >/dev/null 2>&1; then printf '%s\\n' "$1" | nc 127.0.0.1 PORT
else bash -c 'exec 3<>/dev/tcp/127.0.0.1/PORT; printf "%s\\n" "$0" >&3; cat <&3' "$1"; fi; }
""".replace("PORT", str(haproxy.RUNTIME_PORT))
# A command in a container takes the engine some 45 ms to start: so this one waits for the end of the reload itself.
_RELOAD = f"""{_SEND}
answers() {{ send 'show info' | grep '^Pid:'; }}
haproxy -c -q -f next.cfg >&2 || exit 1
before=$(answers)
mv next.cfg haproxy.cfg && kill -USR2 1 || exit 1
turns={START_SECONDS * 20}
until now=$(answers) && [ "$now" != "$before" ]; do
    turns=$((turns - 1))
    [ $turns -gt 0 ] || exit {LATE}
    sleep 0.05
done
"""
_LOOK = f"""{_SEND}
cat {FOLDER}/fence 2>/dev/null || echo 0
printf '{BETWEEN}'
cat {FILE}
printf '{BETWEEN}'
send 'show stat'
"""


# $@ the files that stay. The key is for the user alone that the router runs as.
_OWN_CERTIFICATES = f"""
cd {FOLDER} || exit 9
own=$(sed -n 's/^Uid:[[:space:]]*\\([0-9]*\\).*/\\1/p' /proc/1/status)
for file in "$@"; do chown "$own" "$file" && chmod 600 "$file" || exit 8; done
"""
_FORGET_CERTIFICATES = f"""
cd {FOLDER} || exit 9
for file in *.pem; do case " $* " in *" $file "*) ;; *) rm -f "$file" ;; esac; done
"""


class RouterLook(NamedTuple):
    """What a router says of itself: the highest sequence it obeyed, the file it starts from, and its servers.

    There are no servers when it does not answer just now.
    """

    obeyed: int
    file: str
    servers: list[ServerStat]


class Router:
    """The router container of one environment."""

    def __init__(self, client: DockerClient, names: EnvironmentNames, container: Container) -> None:
        self.client, self.names, self.container = client, names, container
        self.entry: Entry | None = None  # how users shall come in from the next change on; none: as they do

    @property
    def port(self) -> int:
        """The port it is published on."""
        return int(self._binding()["HostPort"])

    @property
    def https_port(self) -> int | None:
        """The port that HTTPS is published on, or none."""
        bindings = self.container.attrs["HostConfig"]["PortBindings"].get(f"{haproxy.TLS_PORT}/tcp")
        return int(bindings[0]["HostPort"]) if bindings else None

    @property
    def bind(self) -> str:
        """The address it is published on."""
        return str(self._binding().get("HostIp") or ANY_ADDRESS)

    def address(self, port: int) -> str:
        """Return the URL under which containers on the environment's network reach one of its entries."""
        aliases = self.container.attrs["NetworkSettings"]["Networks"][self.names.backbone].get("Aliases")
        return f"http://{(aliases or [self.container.short_id])[0]}:{port}"

    def obeyed(self) -> int:
        """Return the highest sequence that has changed anything here."""
        return int(self._run("sh", "-c", f"cat {FOLDER}/fence 2>/dev/null || echo 0").strip() or 0)

    def check(self, sequence: int) -> None:
        """Make `sequence` the highest one; Rejected when a higher one was obeyed."""
        self._fenced(sequence, ":")

    def apply(self, sequence: int, backends: Sequence[RouterBackend], settled: str | None = None) -> None:
        """Route as `backends` say, now and after a restart; by runtime commands alone when only weights differ.

        `settled` is the fingerprint of a release that passed every watch now, unless it had before.
        """
        current = self.file()
        remembered = haproxy.remembered_in(current)
        if settled not in (None, haproxy.settled_in(current)):
            remembered = haproxy.settled(str(settled), datetime.now(UTC))
        text = haproxy.configuration(backends, remembered, self.entry or haproxy.entry_in(current))
        if text == current:
            self.check(sequence)
            return
        self.container.put_archive(FOLDER, packed("next.cfg", text.encode()))
        if _structure(text) == _structure(current):
            commands = "; ".join(haproxy.weight_commands(backends))
            answer = self._fenced(sequence, f"{_SEND} send {shlex.quote(commands)} && mv next.cfg haproxy.cfg")
            if answer.strip():
                raise Rejected(f"the router of {self.names.environment} refused new weights: {answer.strip()}")
            return
        self._fenced(sequence, _RELOAD)

    def prepare(self, backends: Sequence[RouterBackend], instead_of: Sequence[RouterBackend]) -> str:
        """Lay a configuration ready beside the one in use; return the script that puts it in use.

        It does so by weights alone where it says nothing else than `instead_of`.
        """
        current = self.file()
        remembered, entry = haproxy.remembered_in(current), haproxy.entry_in(current)
        text, now = (haproxy.configuration(parts, remembered, entry) for parts in (backends, instead_of))
        self.container.put_archive(FOLDER, packed("back.cfg", text.encode()))
        commands = "; ".join(haproxy.weight_commands(backends))
        reload = "" if _structure(text) == _structure(now) else " && kill -USR2 1"
        return f"{_SEND} send {shlex.quote(commands)} && cp back.cfg back.new && mv back.new haproxy.cfg{reload}"

    def use(self, sequence: int, script: str) -> None:
        """Put in use what was laid ready, by a single call of the engine; Rejected when the lease is over."""
        self._fenced(sequence, script)

    def keep_certificates(self, certificates: Sequence[ServerCertificate]) -> tuple[str, ...]:
        """Lay them into the container, for the router's own user alone, and return their files; they are not in use."""
        for one in certificates:
            self.container.put_archive(FOLDER, packed(one.file, one.pem.get_secret_value().encode(), 0o600))
        code, _, errors = self._execute("sh", "-c", _OWN_CERTIFICATES, "sh", *(one.file for one in certificates))
        if code:
            raise Rejected(f"the router of {self.names.environment} did not take its certificates: {errors.strip()}")
        return tuple(f"{FOLDER}/{one.file}" for one in certificates)

    def forget_certificates(self) -> None:
        """Remove the certificates that its file does not name any more."""
        kept = (file.removeprefix(f"{FOLDER}/") for file in haproxy.entry_in(self.file()).certificates)
        self._run("sh", "-c", _FORGET_CERTIFICATES, "sh", *kept)

    def labels(self, role: str) -> dict[str, str]:
        """Return the labels of something that belongs to its environment."""
        return environment_labels(self.names.platform, self.names.app, self.names.environment, role)

    def file(self) -> str:
        """Return the configuration it starts from, also when it does not run."""
        chunks, _ = self.container.get_archive(FILE)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            content = archive.extractfile("haproxy.cfg")
            return content.read().decode() if content else ""

    def files(self) -> bytes:
        """Return all that it starts from, certificates included, as an archive for the folder above; it is secret."""
        chunks, _ = self.container.get_archive(FOLDER)
        return b"".join(chunks)

    def look(self) -> RouterLook:
        """Return what it says of itself, by a single call of the engine; Transient when it does not run."""
        obeyed, file, servers = self._run("sh", "-c", _LOOK).split(BETWEEN)
        return RouterLook(int(obeyed.strip() or 0), file, haproxy_runtime.parse_stat(servers))

    def stat(self) -> list[ServerStat]:
        """Return every server with its counters since the last reload; none when it does not answer."""
        return haproxy_runtime.parse_stat(self.runtime("show stat"))

    def runtime(self, command: str) -> str:
        """Send one command that changes nothing and return the answer; empty when the router does not answer."""
        return self._run("sh", "-c", f"{_SEND} send {shlex.quote(command)}", tolerate=True)

    def workers(self) -> "Runtime":
        """Return a connection to all of its processes; to the one that serves where the container is an older one."""
        with_master = "-S" in (self.container.attrs["Config"]["Cmd"] or ())
        return Workers(self) if with_master else Runtime(self)

    def end_idle(self, sequence: int) -> None:
        """End the processes that a reload has replaced and that only hold connections on which nothing is asked.

        Such a process knows no slot that came later: a request on one of its connections would be lost with the slot
        that it knows. A connection that ends while nothing is asked is opened again by its client (RFC 9112, 9.3.1).
        """
        with closing(self.workers()) as workers:
            try:
                numbers = workers.idle()
            except Transient:
                return  # what they hold ends with `timeout http-keep-alive`
        if numbers:
            self._fenced(sequence, f"kill -TERM {' '.join(map(str, numbers))} 2>/dev/null || true")

    def visitor(
        self,
        service: str | None = None,
        instance: str | None = None,
        seconds: float = READ_SECONDS,
        host: str = LOCAL_HOST,
    ) -> Visitor:
        """Return a client that asks as a user would or, with `service`, one instance whatever its weight."""
        return Visitor(self.client, self.container, service, instance, seconds, host=host)

    def prober(self) -> Visitor:
        """Return a client that asks any instance, whatever its weight, over one connection."""
        return Visitor(self.client, self.container, port=haproxy.PROBE_PORT)

    def wait_for_an_answer(self) -> None:
        """Return when it answers; Rejected with the end of its log after some seconds."""
        if not until(lambda: self.runtime("show info"), seconds=START_SECONDS, every=0.05):
            raise self._fault("does not answer")

    def _fault(self, problem: str) -> Rejected:
        log = self.container.logs(tail=10).decode(errors="replace")
        return Rejected(f"the router of {self.names.environment} {problem}; the end of its log:\n{log}")

    def _fenced(self, sequence: int, script: str) -> str:
        code, output, errors = self._execute("sh", "-c", _FENCED, "sh", str(sequence), script)
        if code == REFUSED:
            raise Rejected(
                f"{self.names.environment} of {self.names.app} obeyed lease {output.strip()} already; "
                f"this change holds lease {sequence}, which is over"
            )
        if code == LATE:
            raise self._fault("did not take its new configuration")
        if code:
            raise Rejected(f"the router of {self.names.environment} could not be changed: {(errors or output).strip()}")
        return output

    def _run(self, *argv: str, tolerate: bool = False) -> str:
        try:
            return self._execute(*argv)[1]
        except Transient:
            if tolerate:
                return ""
            raise

    def _execute(self, *argv: str) -> tuple[int, str, str]:
        """Run a command inside and return its exit code, output and errors; Transient when the router does not run."""
        try:
            code, output, errors = run_in(self.container, argv, user="0")
        except APIError as error:
            raise Transient(f"the router of {self.names.environment} does not run: {error.explanation}") from error
        except (TimeoutError, ConnectionError) as error:
            raise Transient(f"the router of {self.names.environment} does not answer") from error
        if code in UNDONE:
            raise Transient(f"the router of {self.names.environment} does not run: {(errors or output).strip()}")
        return code, output, errors

    def _binding(self) -> dict[str, str]:
        bindings = self.container.attrs["HostConfig"]["PortBindings"]
        return dict(bindings[f"{haproxy.PORT}/tcp"][0])


def find_router(client: DockerClient, names: EnvironmentNames) -> Router | None:
    """Return the environment's router, or none before its first release."""
    try:
        return Router(client, names, client.containers.get(names.router))
    except NotFound:
        return None


def ensure_router(client: DockerClient, names: EnvironmentNames, target: DockerTarget, home: Home) -> Router:
    """Return the environment's router, running, published where `target` says.

    Raises Misconfigured when the port is taken.
    """
    found = find_router(client, names)
    if found and _is_published(found, target):
        if found.container.status != "running":
            _start(found, names)
        return found
    ports = _choices(target.port, found.port if found else None)
    https: Sequence[int | None] = [None]
    if target.tls:
        https = _choices(target.https_port, found.https_port if found else None)
    files = found.files() if found else None
    if found:
        found.container.remove(force=True)
    tries = range(max(len(ports), len(https)))
    pairs = [(ports[min(turn, len(ports) - 1)], https[min(turn, len(https) - 1)]) for turn in tries]
    for pair in pairs:
        router = _create(client, names, target.bind, pair, home, files)
        try:
            _start(router, names)
        except Misconfigured:
            router.container.remove(force=True)
            if pair == pairs[-1]:
                raise
        else:
            return router
    raise Misconfigured(f"headway.yaml: environments.{names.environment}.target.port", "no free port was found")


def _is_published(router: Router, target: DockerTarget) -> bool:
    """Whether users find a router where `target` says."""
    plain = target.port in (None, router.port) and target.bind == router.bind
    secure = target.https_port in (None, router.https_port) and bool(target.tls) == (router.https_port is not None)
    return plain and secure


def _choices(said: int | None, before: int | None) -> list[int]:
    """Return the ports to try: the one that is said, else the one so far and free ones."""
    if said:
        return [said]
    return [*([before] if before else []), *random.sample(range(20000, 32000), PORTS_TRIED)][:PORTS_TRIED]


def _create(
    client: DockerClient,
    names: EnvironmentNames,
    bind: str,
    ports: tuple[int, int | None],
    home: Home,
    files: bytes | None,
) -> Router:
    published = {haproxy.PORT: ports[0]} | ({haproxy.TLS_PORT: ports[1]} if ports[1] else {})
    container = client.containers.create(
        resolve_base(IMAGE, cache=home.cache, host=None).used,
        COMMAND,
        name=names.router,
        labels=environment_labels(names.platform, names.app, names.environment, "router"),
        ports={f"{inside}/tcp": (bind, outside) for inside, outside in published.items()},
        network=names.backbone,
        networking_config={names.backbone: client.api.create_endpoint_config(aliases=["router"])},
        restart_policy={"Name": "unless-stopped"},  # type: ignore[arg-type]  # the stubs know two of four
        sysctls={"net.ipv4.ip_unprivileged_port_start": "0"},
    )
    if files:
        container.put_archive(FOLDER.rpartition("/")[0], files)
    else:
        container.put_archive(FOLDER, packed("haproxy.cfg", haproxy.configuration(()).encode()))
        container.put_archive(FOLDER, packed("fence", b"0\n"))
    return Router(client, names, container)


def _start(router: Router, names: EnvironmentNames) -> None:
    try:
        router.container.start()
    except APIError as error:
        reason = str(error.explanation or error)
        if "address already in use" not in reason and "port is already allocated" not in reason:
            raise
        key, port = "port", router.port
        if router.https_port and f":{router.https_port}" in reason:
            key, port = "https_port", router.https_port
        raise Misconfigured(
            f"headway.yaml: environments.{names.environment}.target.{key}",
            f"port {port} is taken by another program or container",
            "a free port, or none: Headway chooses one and keeps it",
            f"change the port, or find who has it: ss -ltnp 'sport = :{port}'",
        ) from error
    router.container.reload()
    router.wait_for_an_answer()


def _structure(text: str) -> list[str]:
    """Return the configuration without remarks, and without the weights, which can be changed at run time."""
    parts = (line.partition(" weight ") for line in text.splitlines() if not line.startswith("#"))
    return [before + after.partition(" ")[2] for before, _, after in parts]

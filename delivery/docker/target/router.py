"""The router of an environment: HAProxy in a container, changed without closing a connection.

Everything that changes it runs inside the container under one lock together with the comparison of the lease's
sequence, so a process that lost its lease can change nothing any more. The file it starts from always says what it
does now: a restarted router comes back with the same weights.
"""

import io
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
from delivery.docker.target.http_probe import READ_SECONDS, HttpProbe
from delivery.docker.target.router_runtime import Runtime, Workers
from delivery.docker.target.router_scripts import (
    BETWEEN,
    FENCED,
    FILE,
    FOLDER,
    FORGET_CERTIFICATES,
    LATE,
    LOOK,
    OWN_CERTIFICATES,
    REFUSED,
    RELOAD,
    SEND,
    START_SECONDS,
)
from delivery.errors import Rejected, Transient
from delivery.ports.tls import ServerCertificate
from delivery.programs import haproxy, haproxy_runtime, haproxy_values
from delivery.programs.haproxy_runtime import ServerStat
from delivery.programs.haproxy_values import Entry, RouterBackend
from delivery.spec.health import LOCAL_HOST
from delivery.waiting import until

ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # what the engine means by no address
ANY_ADDRESSES = (ANY_ADDRESS, "::")
# Exit codes of a command in a container that ends just then: the engine could not start it (docker-run(1)), or it was
# killed with its container. Nothing here does harm when it is done twice.
UNDONE = (126, KILLED)


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
        bindings = self.container.attrs["HostConfig"]["PortBindings"].get(f"{haproxy_values.TLS_PORT}/tcp")
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
            answer = self._fenced(sequence, f"{SEND} send {shlex.quote(commands)} && mv next.cfg haproxy.cfg")
            if answer.strip():
                raise Rejected(f"the router of {self.names.environment} refused new weights: {answer.strip()}")
            return
        self._fenced(sequence, RELOAD)

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
        return f"{SEND} send {shlex.quote(commands)} && cp back.cfg back.new && mv back.new haproxy.cfg{reload}"

    def use(self, sequence: int, script: str) -> None:
        """Put in use what was laid ready, by a single call of the engine; Rejected when the lease is over."""
        self._fenced(sequence, script)

    def keep_certificates(self, certificates: Sequence[ServerCertificate]) -> tuple[str, ...]:
        """Lay them into the container, for the router's own user alone, and return their files; they are not in use."""
        for one in certificates:
            self.container.put_archive(FOLDER, packed(one.file, one.pem.get_secret_value().encode(), 0o600))
        code, _, errors = self._execute("sh", "-c", OWN_CERTIFICATES, "sh", *(one.file for one in certificates))
        if code:
            raise Rejected(f"the router of {self.names.environment} did not take its certificates: {errors.strip()}")
        return tuple(f"{FOLDER}/{one.file}" for one in certificates)

    def forget_certificates(self) -> None:
        """Remove the certificates that its file does not name any more."""
        kept = (file.removeprefix(f"{FOLDER}/") for file in haproxy.entry_in(self.file()).certificates)
        self._run("sh", "-c", FORGET_CERTIFICATES, "sh", *kept)

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
        obeyed, file, servers = self._run("sh", "-c", LOOK).split(BETWEEN)
        return RouterLook(int(obeyed.strip() or 0), file, haproxy_runtime.parse_stat(servers))

    def stat(self) -> list[ServerStat]:
        """Return every server with its counters since the last reload; none when it does not answer."""
        return haproxy_runtime.parse_stat(self.runtime("show stat"))

    def runtime(self, command: str) -> str:
        """Send one command that changes nothing and return the answer; empty when the router does not answer."""
        return self._run("sh", "-c", f"{SEND} send {shlex.quote(command)}", tolerate=True)

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

    def http_probe(
        self,
        service: str | None = None,
        instance: str | None = None,
        seconds: float = READ_SECONDS,
        host: str = LOCAL_HOST,
    ) -> HttpProbe:
        """Return a client that asks as a user would or, with `service`, one instance whatever its weight."""
        return HttpProbe(self.client, self.container, service, instance, seconds, host=host)

    def prober(self) -> HttpProbe:
        """Return a client that asks any instance, whatever its weight, over one connection."""
        return HttpProbe(self.client, self.container, port=haproxy_values.PROBE_PORT)

    def wait_for_an_answer(self) -> None:
        """Return when it answers; Rejected with the end of its log after some seconds."""
        if not until(lambda: self.runtime("show info"), seconds=START_SECONDS, every=0.05):
            raise self._fault("does not answer")

    def _fault(self, problem: str) -> Rejected:
        log = self.container.logs(tail=10).decode(errors="replace")
        return Rejected(f"the router of {self.names.environment} {problem}; the end of its log:\n{log}")

    def _fenced(self, sequence: int, script: str) -> str:
        code, output, errors = self._execute("sh", "-c", FENCED, "sh", str(sequence), script)
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
        return dict(bindings[f"{haproxy_values.PORT}/tcp"][0])


def find_router(client: DockerClient, names: EnvironmentNames) -> Router | None:
    """Return the environment's router, or none before its first release."""
    try:
        return Router(client, names, client.containers.get(names.router))
    except NotFound:
        return None


def _structure(text: str) -> list[str]:
    """Return the configuration without remarks, and without the weights, which can be changed at run time."""
    parts = (line.partition(" weight ") for line in text.splitlines() if not line.startswith("#"))
    return [before + after.partition(" ")[2] for before, _, after in parts]

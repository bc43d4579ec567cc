"""The registry that keeps manifests and layers: a container on loopback with a key, whose data outlives it."""

import contextlib
import functools
import threading
from collections.abc import Iterable, Mapping

import bcrypt
import urllib3
from docker.errors import DockerException, NotFound
from docker.models.containers import Container
from moto.ecr.models import ecr_backends
from urllib3.exceptions import NewConnectionError
from urllib3.response import BaseHTTPResponse

from delivery.changes.ledger import LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.engine.client import connect
from delivery.docker.engine.packing import packed
from delivery.docker.images.bases import resolve_base
from delivery.errors import HeadwayError, Rejected
from delivery.waiting import until
from local_aws.installation import LOOPBACK, Installation, current
from local_aws.network import ensure_network

IMAGE, ROLE, PORT = "registry:2", "aws-registry", 5000
START_SECONDS, STOP_SECONDS = 30, 5
# Locations are told without a host: who asks sees the local AWS alone. The secret makes uploads outlive a restart.
CONFIGURATION = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: /var/lib/registry}}, delete: {{enabled: true}}}}
auth: {{htpasswd: {{realm: headway, path: /{passwords}}}}}
http: {{addr: ":{port}", relativeurls: true, secret: "{secret}"}}
"""
PASSWORDS = "etc/docker/registry/htpasswd"
ROUNDS = 4  # of bcrypt, for each request; nobody guesses 32 random bytes, however fast that is
Body = bytes | Iterable[bytes] | None


class Storage:
    """The registry behind ECR; it is started when it is first needed."""

    def __init__(self, installation: Installation) -> None:
        self._here, self._lock = installation, threading.Lock()
        self._http = urllib3.PoolManager(maxsize=20, retries=False, timeout=urllib3.Timeout(connect=5, read=120))
        self._address = ""

    def ask(
        self, method: str, path: str, *, body: Body = None, headers: Mapping[str, str] | None = None
    ) -> BaseHTTPResponse:
        """Return the answer to a request, its content not read yet.

        A registry that nobody listens for is started first, and nothing was sent then. Raises HTTPError of urllib3.
        """
        try:
            return self._ask(self._address or self.ensure(), method, path, body, headers)
        except NewConnectionError:
            return self._ask(self.ensure(), method, path, body, headers)

    def ensure(self) -> str:
        """Return where the registry is, running and answering, with what was pushed before; Rejected when it fails."""
        with self._lock:
            container = self._found() or self._made()
            if container.status != "running":
                container.start()
            if not until(lambda: self._answers(container), seconds=START_SECONDS, every=0.1):
                log = container.logs(tail=10).decode(errors="replace").strip()
                raise Rejected(f"the registry of the local AWS does not answer; the end of its log:\n{log}")
            self._address = _address_of(container)
            return self._address

    def stop(self) -> None:
        """Stop the registry when there are repositories; what was pushed stays."""
        if any(one.repositories for regions in ecr_backends.values() for one in regions.values()):
            with contextlib.suppress(DockerException, HeadwayError):  # an engine that is gone runs nothing
                if container := self._found():
                    container.stop(timeout=STOP_SECONDS)

    def _ask(
        self, address: str, method: str, path: str, body: Body, headers: Mapping[str, str] | None
    ) -> BaseHTTPResponse:
        known = urllib3.make_headers(basic_auth=self._key())
        return self._http.request(
            method,
            f"http://{address}{path}",
            body=body,
            headers={**(headers or {}), **known},
            preload_content=False,
            decode_content=False,
            redirect=False,
        )

    def _answers(self, container: Container) -> bool:
        container.reload()
        try:
            answer = self._ask(_address_of(container), "GET", "/v2/", None, None)
        except (urllib3.exceptions.HTTPError, LookupError):
            return False
        answer.drain_conn()
        return answer.status == 200

    def _key(self) -> str:
        return self._here.home.key(self._here.folder / "keys" / "registry").get_secret_value()

    def _found(self) -> Container | None:
        try:
            return connect().containers.get(self._here.name("registry"))
        except NotFound:
            return None

    def _made(self) -> Container:
        client, name = connect(), self._here.name("registry")
        image = resolve_base(IMAGE, home=self._here.home).used
        labels = {LABEL_PLATFORM: self._here.home.identity, LABEL_ROLE: ROLE}
        user, _, password = self._key().partition(":")
        known = f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(ROUNDS)).decode()}\n"
        secret = self._here.home.key(self._here.folder / "keys" / "uploads").get_secret_value()
        client.volumes.create(name, labels=labels)
        container = client.containers.create(
            image,
            name=name,
            labels=labels,
            network=ensure_network(self._here.home),
            ports={f"{PORT}/tcp": (LOOPBACK, 0)},
            volumes={name: {"bind": "/var/lib/registry", "mode": "rw"}},
        )
        configuration = CONFIGURATION.format(port=PORT, passwords=PASSWORDS, secret=secret)
        container.put_archive("/", packed("etc/docker/registry/config.yml", configuration.encode()))
        container.put_archive("/", packed(PASSWORDS, known.encode()))
        return container


@functools.cache
def storage() -> Storage:
    """Return the one of this process."""
    return Storage(current())


def _address_of(container: Container) -> str:
    """Return where it is published; LookupError when it is not."""
    return f"{LOOPBACK}:{container.attrs['NetworkSettings']['Ports'][f'{PORT}/tcp'][0]['HostPort']}"

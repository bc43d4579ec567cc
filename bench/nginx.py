"""nginx in a container as a router that is reloaded: what a script with a template does."""

import time
from collections.abc import Mapping, Sequence

from docker.models.containers import Container

from delivery.docker.engine.client import connect
from delivery.docker.engine.packing import packed
from delivery.docker.images.bases import resolve_base
from delivery.errors import Rejected
from delivery.home import Home

IMAGE = "nginx:1.22"
FOLDER = "/etc/nginx/conf.d"
START_SECONDS = 20
# nginx's own defaults but for connections to the instances, which are kept; it asks the next instance, once each,
# when one does not answer a request that may be sent twice.
SITE = """\
upstream web {
SERVERS
    keepalive 16;
}
server {
    listen 80;
    access_log off;
    location / {
        proxy_pass http://web;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
}
"""


class Nginx:
    """A container that routes to the instances it was told last, on a network of its own."""

    def __init__(self, name: str, port: int, labels: Mapping[str, str], home: Home) -> None:
        self.name = name
        client = connect()
        client.networks.create(name, labels=dict(labels))
        self._container = client.containers.create(
            resolve_base(IMAGE, home=home).used,
            name=name,
            labels=dict(labels),
            network=name,
            ports={"80/tcp": ("127.0.0.1", port)},
        )

    def route_to(self, instances: Sequence[Container]) -> None:
        """Send new requests to `instances`: write the configuration, test it, reload; the first time, start."""
        servers = "\n".join(f"    server {one.name}:8000;" for one in instances)
        self._container.put_archive(FOLDER, packed("default.conf", SITE.replace("SERVERS", servers).encode()))
        self._container.reload()
        if self._container.status != "running":
            self._container.start()
            self._wait()
            return
        for argv in (["nginx", "-t"], ["nginx", "-s", "reload"]):
            if _fails(self._container, argv):
                raise Rejected(f"{' '.join(argv)} failed:\n{self._last_lines()}")

    def finds_well(self, instance: Container) -> bool:
        """Whether an instance says that it is healthy; asked from inside the network."""
        instance.reload()
        address = instance.attrs["NetworkSettings"]["Networks"][self.name]["IPAddress"]
        if not address:
            return False
        probe = ["wget", "-q", "-O", "/dev/null", f"http://{address}:8000/healthz"]
        return not _fails(instance, probe)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while _fails(self._container, ["nginx", "-t"]):
            if time.monotonic() > deadline:
                raise Rejected(f"nginx does not start:\n{self._last_lines()}")
            time.sleep(0.1)

    def _last_lines(self) -> str:
        return self._container.logs(tail=10).decode(errors="replace")


def _fails(container: Container, argv: Sequence[str]) -> bool:
    """Whether a command inside ends with an error; it says nothing, for the SDK loses some of what comes at once."""
    quiet = ["sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh", *argv]
    return bool(container.exec_run(quiet).exit_code)

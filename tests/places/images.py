"""Small images that serve, lie, fail or die, pushed to a registry of their own."""

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from delivery.docker.engine.client import connect
from delivery.docker.images.bases import resolve_base
from delivery.docker.images.pushing import push
from delivery.docker.images.registry import ensure_registry
from delivery.home import Home
from delivery.releases.release import ImageRef, Release
from tests.delivery.values import NOON, make_revision
from tests.support.platforms import free_port

SERVER = """
import http.server, json, os, signal, sys, threading, time
kind, number = os.environ["KIND"], os.environ["NUMBER"]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
counted, loading, loaded, astray = {"asked": 0}, threading.Lock(), threading.Event(), threading.Event()
def load():
    # An application that loads itself at its first request.
    with loading:
        if not loaded.is_set(): time.sleep(2)
        loaded.set()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1  # an answer is there or not: what was begun is cut short by a death
    def do_GET(self):
        told = {"digest": os.environ.get("HEADWAY_DIGEST"), "revision": os.environ.get("HEADWAY_REVISION")}
        status, body = 200, number
        if kind == "lazy" and self.path != "/loaded":
            load()
        if self.path == "/healthz":
            status = {"sick": 503, "elsewhere": 404}.get(kind, 200)
        elif self.path == "/version":
            body = json.dumps(told | ({"digest": "sha256:" + "0" * 64} if kind == "liar" or astray.is_set() else {}))
        elif self.path == "/stray":
            astray.set()
        elif self.path == "/slow":
            time.sleep(1)
        elif self.path == "/loaded":
            body = str(loaded.is_set())
        elif self.path == "/headers":
            body = json.dumps([[key.lower(), value] for key, value in self.headers.items()])
        elif self.path == "/env":
            body = json.dumps(dict(os.environ))
        elif self.path == "/die":
            os._exit(9)
        else:
            status = 500 if kind == "failing" else 200
        if kind in ("erring", "sluggish") and self.path not in ("/healthz", "/version"):
            status = 500 if kind == "erring" else 200
            time.sleep(1.5 if kind == "sluggish" else 0)
        if self.path == "/healthz" and kind == "failing":
            counted["asked"] += 1
            status = 200 if counted["asked"] < 8 else 503
        if self.path == "/healthz" and kind == "late":
            time.sleep(1.3)
        if kind == "named" and self.headers["Host"] != "shop.example.com":
            status = 400
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *args): pass
print("serving", kind, number, flush=True)
if kind == "crashing": sys.exit("out of luck")
if kind == "idle": time.sleep(600)
http.server.ThreadingHTTPServer(("127.0.0.1" if kind == "shy" else "", 8000), Handler).serve_forever()
"""


def make_image(registry: str, home: Home, kind: str, number: int) -> ImageRef:
    """Push an image of the server that behaves as `kind` and tells `number`; return its reference."""
    client = connect()
    base = resolve_base("python:3.11-alpine", home=home).used
    container = client.containers.create(base, ["python3", "/server.py"], user="0")
    try:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo("server.py")
            entry.size, entry.mode = len(SERVER), 0o644
            archive.addfile(entry, io.BytesIO(SERVER.encode()))
        container.put_archive("/", buffer.getvalue())
        changes = [f"ENV KIND={kind}", f"ENV NUMBER={number}", "USER 1000", "HEALTHCHECK NONE"]
        changes += ["EXPOSE 9000", "EXPOSE 9001/udp"] if kind == "exposing" else []
        changes += ["HEALTHCHECK --interval=1s --retries=1 CMD false"] if kind == "checked" else []
        repository = f"{registry}/shop/web"
        image = container.commit(repository, f"{kind}-{number}", changes=changes)
    finally:
        container.remove()
    return push(image, repository, f"{kind}-{number}", home)


@contextmanager
def pushed_images(home: Home) -> Iterator[Callable[[str, int], ImageRef]]:
    """Yield how to have an image of a kind and a number in the platform's registry, each made once."""
    registry, made = ensure_registry(home, preferred_port=free_port()), dict[tuple[str, int], ImageRef]()

    def get(kind: str, number: int) -> ImageRef:
        if (kind, number) not in made:
            made[kind, number] = make_image(registry.address, home, kind, number)
        return made[kind, number]

    yield get
    for ref in made.values():
        connect().images.remove(f"{registry.address}/{ref}", force=True)


def releases_of(image: Callable[[str, int], ImageRef]) -> Callable[..., Release]:
    """Return how the contract of targets asks for a release that behaves as it says."""

    def make(number, never_healthy=False, lies=False, fails_when_live=False, silent=False, kind="good"):
        wishes = (("sick", never_healthy or silent), ("liar", lies), ("failing", fails_when_live))
        for chosen, wanted in wishes:
            kind = chosen if wanted else kind
        return Release(
            app="shop",
            revision=make_revision(number),
            images={"web": image(kind, number)},
            migrations_hash="m",
            configuration_hash="c",
            created=NOON,
        )

    return make

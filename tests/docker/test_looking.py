"""Whether an image can be had is asked without getting it."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from delivery.docker.images.looking import Named, look_for
from delivery.ports.builder import Looked
from tests.support.platforms import free_port

pytestmark = pytest.mark.docker
JSON = "application/json"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
DIGEST, LAYER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


class Registry(BaseHTTPRequestHandler):
    """Has `there:1`, and keeps `private` for others."""

    def do_GET(self):
        asked.append(self.path)
        status, body, kind = 404, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}, JSON
        if self.path == "/v2/":
            status, body = 200, {}
        elif self.path.startswith("/v2/there/manifests/"):
            config, layer = {"mediaType": CONFIG, "size": 2, "digest": DIGEST}, {"size": 9, "digest": LAYER}
            body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
            status, kind = 200, MANIFEST
        elif self.path == f"/v2/there/blobs/{DIGEST}":
            status, body = 200, {"os": "linux", "architecture": "amd64"}
        elif self.path.startswith("/v2/private/"):
            status, body = 403, {"errors": [{"code": "DENIED", "message": "requested access is denied"}]}
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Content-Digest", DIGEST)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


asked: list[str] = []


@contextmanager
def registry():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_an_image_that_is_nowhere_is_told_with_its_key_and_nothing_is_downloaded():
    asked.clear()
    with registry() as address:
        gone = f"{address}/gone:1"
        names = {"a": f"{address}/there:1", "b": gone, "c": f"{address}/private/x:1", "d": gone}
        looked = look_for(Named(key, name) for key, name in names.items())

    assert looked.unknown == ()
    assert [line.partition(" is neither")[0] for line in looked.nowhere] == [
        f"b, d: {address}/gone:1",
        f"c: {address}/private/x:1",
    ]
    assert [path for path in asked if "/blobs/" in path] in ([], [f"/v2/there/blobs/{DIGEST}"])  # its description


def test_a_name_that_is_none_is_told():
    looked = look_for([Named("services.web.image", "Not An Image")])
    assert looked.nowhere[0].startswith("services.web.image: Not An Image")


def test_what_cannot_be_asked_is_not_said_to_be_nowhere():
    image = f"127.0.0.1:{free_port()}/x:1"
    looked = look_for([Named("a", image)])
    assert looked.nowhere == ()
    assert looked.unknown[0].startswith(f"a: {image} is not on the Docker engine, and 127.0.0.1:")


def test_without_an_engine_that_is_all_that_is_said():
    looked = look_for([Named("a", "x:1")], host="tcp://127.0.0.1:1")
    assert looked == Looked((), ("images were not looked for: no Docker engine answers",))


def test_a_stand_in_counts_where_stand_ins_may_be(monkeypatch):
    assert look_for([Named("a", "node:22-alpine")]) == Looked()
    monkeypatch.setenv("HEADWAY_STAND_INS", "never")
    looked = look_for([Named("a", "registry.invalid/node:22")])
    (line,) = looked.unknown
    assert looked.nowhere == ()
    assert line.startswith("a: registry.invalid/node:22 is not on the Docker engine")

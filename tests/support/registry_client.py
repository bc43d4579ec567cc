"""A client of registries, as small as the protocol lets it be: pushes images of a few bytes, and asks."""

import base64
import hashlib
import json
from dataclasses import dataclass

import httpx

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG, LAYER = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip"

_CLIENT = httpx.Client(timeout=30, trust_env=False)  # one: to make one takes longer than to ask


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def token_of(ecr) -> str:
    """Return the password that ECR hands out."""
    word = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(word).decode().partition(":")
    assert user == "AWS"
    return password


@dataclass(frozen=True)
class RepositoryClient:
    """One repository, at its address, asked with a password of ECR's."""

    uri: str
    password: str
    scheme: str = "http"

    def ask(self, method: str, path: str, **more) -> httpx.Response:
        host = self.uri.partition("/")[0]
        url = path if path.startswith("http") else f"{self.scheme}://{host}{path}" if path[0] == "/" else self.at(path)
        auth = ("AWS", self.password) if self.password else None
        return _CLIENT.request(method, url, auth=auth, **more)

    def at(self, path: str) -> str:
        host, _, name = self.uri.partition("/")
        return f"{self.scheme}://{host}/v2/{name}/{path}"

    def put_blob(self, content: bytes) -> str:
        digest = digest_of(content)
        begun = self.ask("POST", "blobs/uploads/")
        begun.raise_for_status()
        location = begun.headers["Location"]
        mark = "&" if "?" in location else "?"
        self.ask("PUT", f"{location}{mark}digest={digest}", content=content).raise_for_status()
        return digest

    def manifest(self, text: str) -> bytes:
        """Push what an image of `text` consists of, and return its manifest, which is not pushed."""
        parts = [(CONFIG, json.dumps({"text": text}).encode()), (LAYER, text.encode())]
        told = [{"mediaType": kind, "digest": self.put_blob(part), "size": len(part)} for kind, part in parts]
        body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": told[0], "layers": told[1:]}
        return json.dumps(body, indent=3).encode()

    def put(self, reference: str, manifest: bytes, kind: str = MANIFEST) -> httpx.Response:
        return self.ask("PUT", f"manifests/{reference}", content=manifest, headers={"Content-Type": kind})

    def push(self, text: str, tag: str) -> str:
        """Push an image and return its digest."""
        answer = self.put(tag, self.manifest(text))
        answer.raise_for_status()
        return answer.headers["Docker-Content-Digest"]

    def pull(self, reference: str) -> httpx.Response:
        return self.ask("GET", f"manifests/{reference}")

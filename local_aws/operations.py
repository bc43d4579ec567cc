"""Which operation of which service a request asks for, as far as it is known before anything parses it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs

READS = ("Get", "Describe", "List", "BatchGet", "Head", "Lookup", "Filter", "Search", "Scan", "Query", "Select")
# Names of READS that change something all the same.
CHANGES = ("GetQueryResults",)
# Layers are the registry's alone: what is done with them changes no record.
LAYERS = ("InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload")
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


# https://smithy.io/2.0/aws/protocols/: how a request is written is how its answer is.
Protocol = Literal["query", "json", "rest-xml", "rest-json", "registry"]
IN_XML = ("s3", "route53", "cloudfront")


@dataclass(frozen=True)
class Asked:
    """A service as requests are signed for it, a region, and an operation: its name, or method and path of REST."""

    service: str
    region: str
    operation: str
    method: str
    protocol: Protocol

    @property
    def changes(self) -> bool:
        """Whether records may be others afterwards."""
        if self.protocol == "registry" or self.operation in LAYERS:
            return False
        if "/" in self.operation:  # REST: what is read is read with GET
            return self.method not in ("GET", "HEAD", "OPTIONS")
        return self.operation in CHANGES or not self.operation.startswith(READS)


def asked(environ: Mapping[str, object], body: bytes) -> Asked:
    """Return what a WSGI request asks for; an empty service for what is not signed, as the pages of moto itself."""
    query = str(environ.get("QUERY_STRING", ""))
    signed = _SCOPE.search(str(environ.get("HTTP_AUTHORIZATION", ""))) or _presigned(query)
    method = str(environ.get("REQUEST_METHOD", "GET"))
    kind, path = str(environ.get("CONTENT_TYPE", "")), str(environ.get("PATH_INFO", "/"))
    service = signed["service"] if signed else ""
    protocol: Protocol = "rest-xml" if service in IN_XML else "rest-json"
    operation = f"{method} {path}"
    if is_of_registry(environ):
        return Asked("ecr", "", operation, method, "registry")
    if target := str(environ.get("HTTP_X_AMZ_TARGET", "")):
        protocol, operation = "json", target.rpartition(".")[2]
    elif named := parse_qs(body.decode(errors="replace") if "x-www-form-urlencoded" in kind else query).get("Action"):
        protocol, operation = "query", named[0]
    return Asked(service, signed["region"] if signed else "", operation, method, protocol)


def is_of_registry(environ: Mapping[str, object]) -> bool:
    """Whether it is said in the protocol of registries, which knows no signature: others have `/v2/` paths as well."""
    path, who = str(environ.get("PATH_INFO", "/")), str(environ.get("HTTP_AUTHORIZATION", ""))
    return (path == "/v2" or path.startswith("/v2/")) and not who.startswith("AWS4-")


def _presigned(query: str) -> Mapping[str, str] | None:
    scope = parse_qs(query).get("X-Amz-Credential")
    parts = scope[0].split("/") if scope else []
    return {"region": parts[2], "service": parts[3]} if len(parts) == 5 else None

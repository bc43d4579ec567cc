"""Which operation of which service a request asks for, as far as it is known before anything parses it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs

READS = ("Get", "Describe", "List", "BatchGet", "Head", "Lookup", "Filter", "Search", "Scan", "Query", "Select")
# Names of READS that change something all the same.
CHANGES = ("GetQueryResults",)
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


# https://smithy.io/2.0/aws/protocols/: how a request is written is how its answer is.
Protocol = Literal["query", "json", "rest-xml", "rest-json"]
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
    if target := str(environ.get("HTTP_X_AMZ_TARGET", "")):
        protocol, operation = "json", target.rpartition(".")[2]
    elif named := parse_qs(body.decode(errors="replace") if "x-www-form-urlencoded" in kind else query).get("Action"):
        protocol, operation = "query", named[0]
    return Asked(service, signed["region"] if signed else "", operation, method, protocol)


def _presigned(query: str) -> Mapping[str, str] | None:
    scope = parse_qs(query).get("X-Amz-Credential")
    parts = scope[0].split("/") if scope else []
    return {"region": parts[2], "service": parts[3]} if len(parts) == 5 else None

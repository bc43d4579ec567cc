"""What the agents found out, told to the records by a request as every change is: `POST /headway/reports/KIND`."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import urllib3

from local_aws.installation import current

PATH = "/headway/reports/"
SECONDS = 30
TAKEN: dict[str, Callable[[dict[str, Any]], None]] = {}


def is_report(environ: Mapping[str, object]) -> bool:
    """Whether a request is one."""
    return str(environ.get("PATH_INFO", "")).startswith(PATH)


def take(environ: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    """Let the records take what a request tells."""
    kind = str(environ["PATH_INFO"]).removeprefix(PATH)
    taken = TAKEN.get(kind)
    if taken is None or environ["REQUEST_METHOD"] != "POST":
        return "404 Not Found", [("Content-Type", "text/plain")], f"no reports of {kind}".encode()
    taken(json.loads(environ["wsgi.input"].read()))
    return "204 No Content", [], b""


def tell(kind: str, told: Mapping[str, object]) -> None:
    """Tell the records of this local AWS; OSError when they do not take it, HTTPError when they do not answer."""
    answer = urllib3.request("POST", f"{current().url}{PATH}{kind}", json=dict(told), timeout=SECONDS, retries=False)
    if answer.status >= 300:
        raise OSError(f"what was found out of {kind} is not taken: {answer.status} {answer.data.decode()}")

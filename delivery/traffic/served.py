"""Which version an instance says that it serves, which it should, and which service users reach under a path."""

import json
from collections.abc import Mapping

from delivery.spec.answer import Answer


def as_version(answer: Answer) -> dict[str, str]:
    """Return what a version path told; empty when it did not answer with a JSON object."""
    try:
        told = json.loads(answer.body)
    except ValueError:
        return {}
    return {key: str(value) for key, value in told.items()} if isinstance(told, dict) else {}


def version_problem(told: Mapping[str, str], path: str, *, digest: str, revision: str) -> str:
    """Say how what a version path told is not the release's; empty when all that it told is."""
    expected = {"digest": digest, "revision": revision}
    known = {key: told[key] for key in expected if key in told and expected[key]}
    if not known:
        return f"tells neither digest nor revision at {path} (found {dict(told)})"
    wrong = next((key for key, value in known.items() if value != expected[key]), None)
    return f"serves {wrong} {known[wrong]}, not {expected[wrong]}" if wrong else ""


def routed_to(path: str, routes: Mapping[str, str], host: str = "") -> str:
    """Return the service that users of a host reach under `path`: the longest prefix of whole parts says it."""
    matching = [way for way in routes if f"{host}{path}/".startswith(f"{way.rstrip('/')}/")]
    return routes[max(matching, key=len)] if matching else ""

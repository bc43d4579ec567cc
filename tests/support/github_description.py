"""What GitHub's own OpenAPI description says of the calls that Headway makes.

`github_description.json` holds those operations and what they refer to, without texts and examples. It is made from
the description that the npm package @octokit/openapi brings:

    python -m tests.support.github_description generated/api.github.com.json
"""

import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

FILE = Path(__file__).with_suffix(".json")
PACKAGE = "@octokit/openapi@23.0.2"
OPERATIONS = [
    ("post", "/repos/{owner}/{repo}/statuses/{sha}"),
    ("get", "/repos/{owner}/{repo}/deployments"),
    ("post", "/repos/{owner}/{repo}/deployments"),
    ("get", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses"),
    ("post", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses"),
    ("get", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls"),
    ("get", "/repos/{owner}/{repo}/issues/{issue_number}/comments"),
    ("post", "/repos/{owner}/{repo}/issues/{issue_number}/comments"),
    ("patch", "/repos/{owner}/{repo}/issues/comments/{comment_id}"),
    ("delete", "/repos/{owner}/{repo}/issues/comments/{comment_id}"),
]
TEXTS = {"description", "summary", "example", "examples", "externalDocs", "tags", "operationId", "title", "headers"}


def excerpt(whole: dict[str, Any]) -> dict[str, Any]:
    """Return the operations above and all they refer to."""
    paths: dict[str, Any] = {}
    for method, path in OPERATIONS:
        paths.setdefault(path, {})[method] = _bare(whole["paths"][path][method])
    kept: dict[str, Any] = {}
    ahead = sorted(_refs(paths))
    while ahead:
        ref = ahead.pop()
        kind, name = ref.removeprefix("#/components/").split("/")
        if name not in kept.setdefault(kind, {}):
            kept[kind][name] = _bare(whole["components"][kind][name])
            ahead += sorted(_refs(kept[kind][name]))
    return {"openapi": whole["openapi"], "paths": paths, "components": kept}


def _bare(node: Any, *, names: bool = False) -> Any:
    """Return it without texts; the keys of `properties` are names, whatever they are called."""
    if isinstance(node, list):
        return [_bare(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _bare(one, names=key == "properties" and not names)
        for key, one in node.items()
        if names or (key not in TEXTS and not key.startswith("x-"))
    }


def _refs(node: Any) -> set[str]:
    return set(re.findall(r'"\$ref": "(#/components/[^"]+)"', json.dumps(node)))


@cache
def described() -> dict[str, Any]:
    """Return the excerpt."""
    return json.loads(FILE.read_text())


def problems_of_request(method: str, path: str, query: dict[str, str], body: object) -> list[str]:
    """Return what is wrong with a request, by the description."""
    operation = _operation(method, path)
    if operation is None:
        return [f"{method} {path}: no such operation"]
    named = [_resolved(one) for one in operation.get("parameters", [])]
    known = {one["name"]: one["schema"] for one in named if one["in"] == "query"}
    found = [f"query {name}: no such parameter" for name in query if name not in known]
    for name in query.keys() & known:
        value: object = int(query[name]) if known[name]["type"] == "integer" else query[name]
        found += _problems(known[name], value, f"query {name}")
    wanted = operation.get("requestBody")
    if wanted:
        schema = wanted["content"]["application/json"]["schema"]
        found += _problems(schema, body, "body")
        if isinstance(body, dict):  # the description lets anything else pass, and GitHub ignores it: a misspelt key
            found += [f"body: {key}: not described" for key in body if key not in schema["properties"]]
    elif body is not None:
        found.append("body: none is described")
    return found


def problems_of_answer(method: str, path: str, status: int, body: object) -> list[str]:
    """Return what is wrong with an answer, by the description."""
    operation = _operation(method, path)
    if operation is None or str(status) not in operation["responses"]:
        return [f"{method} {path}: {status} is not described"]
    content = _resolved(operation["responses"][str(status)]).get("content")
    if not content:
        return [] if body is None else ["a body where none is described"]
    return _problems(content["application/json"]["schema"], body, "answer")


def least(name: str, **given: Any) -> dict[str, Any]:
    """Return the least that a schema allows, with what is given."""
    return {**_least(described()["components"]["schemas"][name]), **given}


def _least(schema: dict[str, Any]) -> Any:
    schema = _resolved(schema)
    if schema.get("nullable"):
        return None
    for way in ("oneOf", "anyOf", "allOf"):
        if way in schema:
            return _least(schema[way][0])
    match schema:
        case {"enum": [first, *_]}:
            return first
        case {"type": "string", "format": "uri"}:
            return "https://api.example/"
        case {"type": "string", "format": "date-time"}:
            return "2026-01-01T00:00:00Z"
        case {"type": "integer" | "number"}:
            return 0
        case {"type": "boolean"}:
            return False
        case {"type": "array"}:
            return []
        case {"properties": properties}:
            return {key: _least(properties[key]) for key in schema.get("required", [])}
        case {"type": "object"}:
            return {}
    return ""


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for template, operations in described()["paths"].items():
        if method.lower() in operations and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
            return operations[method.lower()]
    return None


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    kind, name = node["$ref"].removeprefix("#/components/").split("/")
    return described()["components"][kind][name]


def _problems(schema: dict[str, Any], value: object, where: str) -> list[str]:
    return [
        f"{where}: {error.json_path}: {error.message[:200]}"
        for error in _validator(json.dumps(schema)).iter_errors(value)
    ]


@cache
def _validator(schema: str) -> Any:
    """Return a validator; the components are where a reference looks for them."""
    whole = {**json.loads(schema), "components": described()["components"]}
    return OAS30Validator(whole, registry=Registry().with_resource("", DRAFT4.create_resource(whole)))


if __name__ == "__main__":
    FILE.write_text(json.dumps(excerpt(json.loads(Path(sys.argv[1]).read_text())), indent=1, sort_keys=True) + "\n")

"""Which paths go to which service: as the proxy that is left out was told, else as names suggest."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from delivery.discovery.draft import Draft
from delivery.discovery.folders import is_file, is_folder, read, walk
from delivery.discovery.services import Part
from delivery.model import PATH_PATTERN

FRONTS = ("frontend", "front", "web", "ui", "www", "site", "client", "webapp", "app", "nginx")
_UPSTREAM = re.compile(r"\bupstream\s+([\w.-]+)\s*\{[^}]*?\bserver\s+([\w.-]+)", re.DOTALL)
_LOCATION = re.compile(r"\blocation\s+(?:(=|\^~|~\*?)\s*)?(\S+)\s*\{([^{}]*)\}", re.DOTALL)
_PASS = re.compile(r"\b(?:proxy_pass|uwsgi_pass|fastcgi_pass|grpc_pass)\s+(?:\w+://)?([\w.$-]+)(?::\d+)?(/[^;]*)?;")


def proxied(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Return host → path prefixes that configurations of nginx send there."""
    found: dict[str, list[str]] = {}
    for text in map(read, _configurations(paths)):
        plain = re.sub(r"#.*", "", text)
        upstreams = dict(_UPSTREAM.findall(plain))
        for modifier, prefix, block in _LOCATION.findall(plain):
            target = _PASS.search(block)
            if target and prefix.startswith("/") and not modifier.startswith("~") and re.match(PATH_PATTERN, prefix):
                found.setdefault(str(upstreams.get(target[1], target[1])), []).append(prefix.rstrip("/") or "/")
    return found


def spread_routes(parts: list[Part], told: Mapping[str, list[str]], draft: Draft) -> None:
    """Give services with a port their paths where several have one."""
    with_port = [part for part in parts if "port" in part.content]
    if len(with_port) < 2:
        return
    if not _spread_as_told(with_port, told, draft):
        public = [part for part in with_port if part.is_public] or with_port
        if len(public) == 1:
            public[0].content["routes"] = ["/"]
            draft.guess(f"/ is answered by {public[0].name}; the others with a port are asked by services alone")
        else:
            _spread_by_name(public, draft)


def _spread_as_told(parts: list[Part], told: Mapping[str, list[str]], draft: Draft) -> bool:
    taken: set[str] = set()
    for part in parts:
        names = [part.described.name, *part.described.other_names] if part.described else [part.name]
        routes = [
            *(part.described.routes if part.described else ()),
            *(path for name in names for path in told.get(name, ())),
        ]
        fitting = [path for path in dict.fromkeys(routes) if path not in taken and re.match(PATH_PATTERN, path)]
        if fitting:
            taken |= set(fitting)
            part.content["routes"] = fitting
            draft.guess(f"{', '.join(fitting)} is answered by {part.name}, as the proxy was told; paths are not cut")
    without = [part for part in parts if "routes" not in part.content]
    if taken and "/" not in taken and without:
        front = next((part for name in FRONTS for part in without if part.name == name), without[0])
        front.content["routes"] = ["/"]
        draft.guess(f"/ is answered by {front.name}")
    return bool(taken)


def _spread_by_name(parts: list[Part], draft: Draft) -> None:
    front = next((part for name in FRONTS for part in parts if part.name == name), parts[0])
    for part in parts:
        path = "/" if part is front else "/api" if len(parts) == 2 else f"/{part.name}"
        part.content["routes"] = [path]
        draft.guess(f"{path} is answered by {part.name}")


def _configurations(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if is_file(path):
            found.append(path)
        elif is_folder(path):
            found += [one for one in walk(path, 2) if re.search(r"\.(conf|template|tmpl)$", one.name)]
    return found

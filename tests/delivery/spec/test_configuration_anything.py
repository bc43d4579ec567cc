"""Whatever stands in headway.yaml, it is taken or told as a mistake; there is never a traceback."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delivery.errors import Misconfigured
from delivery.spec.app import App
from delivery.spec.configuration import check_files, load_app_text

WHOLE = """\
app: shop
images: {web: {context: web, target: run, build_args: {A: b}, bases: {"node:22": "mirror/node:22"}}}
services:
  web: {command: [run], port: 8000, routes: [/], health: /h, version: /v, env: {A: b}, needs: [cache], instances: 2}
  worker: {image: web, stop_seconds: 3, start_seconds: 4}
backing: {cache: {image: "redis:7", command: [x], port: 6379, env: {A: b}, volume: /data, needs: []}}
database: {name: app, migrate: {image: web, command: [m], env: {A: "${database.url}"}, files: m}}
suites:
  unit: {tool: jest, build: {target: test}, shards: 2, axes: {node: ["20", "22"]}, services: [web], database: true}
  all: {compose: compose.yaml, compose_service: tests, junit: "/r/*.xml"}
  e2e: {image: web, command: [x], env: {A: b}}
environments:
  staging: {target: {kind: memory}, acceptance: [e2e], shift: {canary: {percent: 10, hold_seconds: 2}}}
  production:
    target: {host: "ssh://there", port: 80, bind: 0.0.0.0}
    after: staging
    approval: {by: person, wait: pause, timeout_seconds: 50}
    shift: {steps: [{percent: 10, hold_seconds: 1}, {percent: 100}]}
    watch: {seconds: 1, interval_seconds: 0.1, max_error_percent: 2, min_requests: 3}
    secrets: {A: b}
scan: {waivers: [{id: CVE-1, package: p, owner: me, reason: because, expires: 2030-01-01}], block: [HIGH]}
"""
CONTENT = yaml.safe_load(WHOLE)
NAMES = ["web", "cache", "unit", "staging", "production", "AllAtOnce", "/", "docker", "${database.url}", "a" * 300]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(NAMES)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
    max_leaves=5,
)
QUICK = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything in `value`."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(path: tuple[Any, ...], how: str, key: Any, value: Any) -> Any:
    """Return the content with the part at `path` removed, replaced or added to."""
    content = copy.deepcopy(CONTENT)
    holder = content
    for part in path[:-1]:
        holder = holder[part]
    if how == "remove":
        del holder[path[-1]]
    elif how == "add" and isinstance(holder[path[-1]], dict):
        holder[path[-1]][key] = value
    else:
        holder[path[-1]] = value
    return content


def is_taken_or_told(text: str) -> bool:
    try:
        app = load_app_text(text)
        check_files(app, Path("/nowhere"))
    except Misconfigured as mistake:
        return bool(mistake.found)
    return isinstance(app, App)


@QUICK
@given(st.sampled_from(list(places(CONTENT))), st.sampled_from(["remove", "replace", "add"]), SCALARS, VALUES)
def test_any_value_in_any_place_is_taken_or_told(path: tuple[Any, ...], how: str, key: Any, value: Any) -> None:
    assert is_taken_or_told(yaml.safe_dump(changed(path, how, key, value), allow_unicode=True))


@QUICK
@given(st.integers(0, len(WHOLE)), st.integers(0, 20), st.text("[]{}:,&*!?|>%@`'\"#-.\n\t 019axé\x00", max_size=6))
def test_any_slip_of_the_hand_is_taken_or_told(at: int, removed: int, typed: str) -> None:
    assert is_taken_or_told(WHOLE[:at] + typed + WHOLE[at + removed :])


@QUICK
@given(st.text(max_size=60))
def test_any_text_is_taken_or_told(text: str) -> None:
    assert is_taken_or_told(text)

"""What a load balancer does as HAProxy says it: listeners, rules in their order, shares of target groups, targets.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DRAWN = 1_000_000
LEAST_SECONDS = 15  # of a process that a reload replaced, with connections that it has not answered yet
_GLOBAL = """\
global
  maxconn 4000
  stats socket /tmp/haproxy.sock mode 600 level admin expose-fd listeners
  hard-stop-after {drain:d}s
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  timeout queue 5s
  option forwardfor
  option dontlognull
  retries 0
"""
# Each answer is told where somebody hears it: local_aws/agents/answers.py reads it.
_TOLD = """\
  log {address}:{port} len 2048 local0 info
  log-format "answered {balancer} %[var(txn.group)] %s %ST %Tr"
"""
_REDIRECTED = {
    "#{protocol}": "http",
    "#{host}": "%[req.hdr(host),field(1,:)]",
    "#{path}": "%[path,regsub(^/,)]",
    "#{query}": "%[query]",
}


@dataclass(frozen=True)
class Target:
    """One server of a target group."""

    address: str
    port: int


@dataclass(frozen=True)
class Rule:
    """One rule of a listener: whom it is for, and what is done; without conditions for everybody."""

    conditions: Sequence[Mapping[str, Any]]
    action: Mapping[str, Any]
    groups: Mapping[str, int]


@dataclass(frozen=True)
class Listener:
    """A port, and the rules in the order in which they are looked at."""

    port: int
    rules: Sequence[Rule]


@dataclass(frozen=True)
class Told:
    """Where answers are told, and whose they are, as metrics name a load balancer."""

    address: str
    port: int
    balancer: str


def configuration(
    listeners: Sequence[Listener],
    targets: Mapping[str, Sequence[Target]],
    *,
    drain_seconds: float,
    told: Told | None = None,
) -> str:
    """Return the whole file; `targets` has, for each target group, those that get requests."""
    lines = [_GLOBAL.format(drain=max(LEAST_SECONDS, round(drain_seconds)))]
    lines += [_TOLD.format(address=told.address, port=told.port, balancer=told.balancer)] if told else []
    for listener in listeners:
        lines += _frontend(listener)
    for group in sorted({name for one in listeners for rule in one.rules for name in rule.groups}):
        lines += [f"backend {backend_of(group)}", "  balance roundrobin"]
        lines += [f"  http-request set-var(txn.group) str({group.rpartition(':')[2]})"]
        lines += [
            f"  server {_safe(one.address)}-{one.port} {one.address}:{one.port}" for one in targets.get(group, ())
        ]
    return "\n".join([*lines, ""])


def backend_of(group: str) -> str:
    """Return what the backend of a target group is called."""
    return f"tg-{group.rpartition('/')[2]}"


def _frontend(listener: Listener) -> Iterator[str]:
    yield f"frontend port-{listener.port}"
    yield f"  bind :{listener.port}"
    yield f"  http-request set-var(txn.draw) rand({DRAWN})"
    for number, rule in enumerate(listener.rules):
        names: list[str] = []
        for index, condition in enumerate(rule.conditions):
            name = f"rule-{number}-{index}"
            yield from (f"  acl {name} {test}" for test in _tests(condition))
            names.append(name)
        when = " ".join(["!{ var(txn.rule) -m found }", *names])
        yield f"  http-request set-var(txn.rule) int({number}) if {when}"
    for number, rule in enumerate(listener.rules):
        yield from _action(rule, f"{{ var(txn.rule) -m int {number} }}")


def _tests(condition: Mapping[str, Any]) -> Iterator[str]:
    """Yield what HAProxy compares; several values of one condition are alternatives."""
    field, values = condition["Field"], condition.get("Values") or []
    match field:
        case "path-pattern":
            values = (condition.get("PathPatternConfig") or {}).get("Values") or values
            yield from (f"path -m reg {_regex(one)}" for one in values)
        case "host-header":
            values = (condition.get("HostHeaderConfig") or {}).get("Values") or values
            yield from (f"req.hdr(host),field(1,:) -m reg -i {_regex(one)}" for one in values)
        case "http-request-method":
            yield from (f"method {one}" for one in condition["HttpRequestMethodConfig"]["Values"])
        case "http-header":
            asked = condition["HttpHeaderConfig"]
            yield from (f"req.hdr({asked['HttpHeaderName']}) -m reg -i {_regex(one)}" for one in asked["Values"])
        case _:
            yield "always_false"  # a condition that is not known here keeps everybody from its rule


def _regex(pattern: str) -> str:
    """Return a pattern with `*` and `?` as an expression, in quotes: else HAProxy takes backslashes for its own."""
    parts = ({"*": ".*", "?": ".", "'": "."}.get(one) or re.escape(one) for one in pattern)
    return f"'^{''.join(parts)}$'"


def _action(rule: Rule, when: str) -> Iterator[str]:
    match rule.action.get("Type"):
        case "forward":
            total, reached = sum(rule.groups.values()), 0
            for group, weight in rule.groups.items():
                if weight:
                    reached += weight
                    below = DRAWN * reached // total
                    yield f"  use_backend {backend_of(group)} if {when} {{ var(txn.draw) -m int lt {below} }}"
        case "fixed-response":
            said = rule.action["FixedResponseConfig"]
            kind, body = said.get("ContentType") or "text/plain", (said.get("MessageBody") or "").replace('"', "")
            content = f'content-type "{kind}" string "{body}" ' if body else ""  # HAProxy takes no empty string
            yield f"  http-request return status {said['StatusCode']} {content}if {when}"
        case "redirect":
            told = rule.action["RedirectConfig"]
            code = "301" if told["StatusCode"] == "HTTP_301" else "302"
            yield f"  http-request redirect location {_location(told)} code {code} if {when}"


def _location(told: Mapping[str, Any]) -> str:
    protocol, port = (told.get("Protocol") or "#{protocol}").lower(), told.get("Port") or "#{port}"
    host, path, query = told.get("Host") or "#{host}", told.get("Path") or "/#{path}", told.get("Query") or "#{query}"
    address = f"{protocol}://{host}" + ("" if port == "#{port}" else f":{port}") + path + (f"?{query}" if query else "")
    for placeholder, value in _REDIRECTED.items():
        address = address.replace(placeholder, value)
    return address


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", text)

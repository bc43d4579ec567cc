"""HAProxy's backends: each service as users reach it, one instance of it alone, and one slot of it alone."""

from delivery.ports.slots import COLOURS
from delivery.programs.haproxy_frontends import preview
from delivery.programs.haproxy_values import ERRORS, LAST, PROBES, SPARE, RouterBackend
from delivery.spec.health import LOCAL_HOST

_LAST_LIMIT = " maxconn 200"
# Users' own connections tell of a dead instance before the next check does (section 5.2, observe, on-error): without it
# two instances that end at the same moment are tried until a request gives up, and the other slot steps in too late.
_ON_ERROR = f" observe layer4 error-limit {ERRORS} on-error mark-down"
# An instance and its spare have the same address (section 5.2: HAProxy gives none twice in a backend otherwise).
_RESOLVED = " resolvers docker resolve-prefer ipv4 resolve-opts allow-dup-ip init-addr libc,none"


def _limits(backend: RouterBackend) -> list[str]:
    return [f"  timeout server {backend.request_seconds}s", f"  timeout tunnel {backend.idle_seconds}s"]


def _told(backend: RouterBackend) -> list[str]:
    """Return the rules by which the line of an answer says who was tried, and that there is a line in any case.

    HAProxy closes a kept connection of a client without a line when the instance closed its own without an answer
    (seen with 2.6; the first request of a connection is answered with 502). Where no other try comes, the connection
    is rejected instead: the client sees the same, and it is told. A time limit that passed is still answered with 504.
    """
    last = f"{{ var(txn.tried) -m reg ^([^,]*,){{{backend.retries + 1}}} }}"
    once, first = "{ var(txn.once) -m found }", "!{ var(txn.kept) -m found }"
    late = f"{{ date(0,ms),sub(txn.began) ge {1000 * backend.request_seconds - 100} }}"
    return [
        "  tcp-response inspect-delay 7d",
        f'  tcp-response content set-var-fmt(txn.tried) "%[var(txn.tried)]%[srv_name]," if !{once} !{last}',
        f"  tcp-response content accept if {first}",
        f"  tcp-response content accept if !{once} !{last}",
        "  tcp-response content accept if { res.len gt 0 }",
        f"  tcp-response content accept if {late}",
        "  tcp-response content reject",
    ]


def _milliseconds(seconds: float) -> str:
    return f"{round(1000 * seconds)}ms"


def backend_section(backend: RouterBackend, *, secure: bool) -> str:
    """Return the way of users to a service; its checks come as they do."""
    lines = [f"backend {backend.service}", "  balance roundrobin", f"  retries {backend.retries}"]
    lines += [*_limits(backend), *_told(backend)]
    health = backend.health
    if health.path:
        came = " hdr X-Forwarded-Proto https" if secure else ""  # as users come: an application may insist on it
        lines += ["  option httpchk"]
        lines += [f"  http-check send meth GET uri {health.path} hdr Host {health.host or LOCAL_HOST}{came}"]
        lines += ["  http-check expect status 200-299"]
    # Without it the interval is a check's time, and one that is slow on a busy host is not a failed one (4.2).
    lines += [f"  timeout check {_milliseconds(health.timeout_seconds)}"]
    lines += ["  http-response set-header x-headway-instance %s"]
    usual, fast = _milliseconds(health.interval_seconds), _milliseconds(health.interval_seconds / 2)
    pace = f"inter {usual} fastinter {fast} downinter {usual}"
    lines += [f"  default-server {pace} fall {health.failures} rise 1"]
    lines += [
        f"  server {server.name} {server.address}:{server.port} check weight {server.weight}{_ON_ERROR}{_RESOLVED}"
        for server in backend.servers
    ]
    lines += [
        f"  server {server.name}{SPARE} {server.address}:{server.port}"
        f" track {backend.service}/{server.name} backup{_RESOLVED}"
        for server in backend.spares
    ]
    # After the spares: the first that can be used gets all (section 4.2, option allbackups).
    lines += [
        f"  server {server.name}{LAST} {server.address}:{server.port}"
        f" backup weight {server.weight}{_LAST_LIMIT}{_RESOLVED}"
        for server in backend.servers
    ]
    return "\n".join(lines) + "\n"


def probe_section(backend: RouterBackend) -> str:
    """Return the way of Headway's own questions to one chosen instance: counted apart from what users ask."""
    lines = [f"backend {backend.service}{PROBES}", *_limits(backend)]
    # The chosen instance answers or nobody does, also when its health check failed.
    lines += ["  option persist", "  no option redispatch", "  retries 0"]
    # One whose queue of connections is full is late, which is not the same as one that refuses them.
    lines += [f"  timeout connect {_milliseconds(backend.health.timeout_seconds)}"]
    lines += ["  http-response set-header x-headway-instance %s"]
    lines += [
        f"  use-server {server.name} if {{ req.hdr(x-headway-instance) -m str {server.name} }}"
        for server in backend.servers
    ]
    lines += [
        f"  server {server.name} {server.address}:{server.port} track {backend.service}/{server.name}{_RESOLVED}"
        for server in backend.servers
    ]
    return "\n".join(lines) + "\n"


def preview_sections(backend: RouterBackend) -> str:
    """Return the ways to the instances of one slot alone, for checks: counted apart from what users ask."""
    lines: list[str] = []
    for colour in COLOURS:
        servers = [server for server in backend.servers if server.colour == colour]
        # An error that a second try would hide is what a check looks for; a connection that had gone is none.
        lines += [f"backend {backend.service}{preview(colour)}", "  balance roundrobin", *_limits(backend)]
        lines += ["  retry-on conn-failure empty-response", "  http-response set-header x-headway-instance %s"]
        lines += [
            f"  server {server.name} {server.address}:{server.port} track {backend.service}/{server.name}{_RESOLVED}"
            for server in servers
        ]
    return "\n".join(lines) + "\n"

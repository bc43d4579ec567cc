"""HAProxy's frontends, line by line: who comes in how, under which name, and which backend that leads to."""

from collections.abc import Iterable, Sequence

from delivery.ports.slots import Colour
from delivery.programs.haproxy_values import APART, PORT, TLS_PORT, Entry, RouterBackend

# What may change something is not sent twice: only what is known to change nothing, and what never reached anybody.
RETRY_RULES = """\
  http-request set-var(txn.once) bool(true) if !{ method GET HEAD OPTIONS }
  http-request disable-l7-retry if { var(txn.once) -m found }
"""
ANSWERS = """\
  log ring@answers format raw local0
  log-format "%b %s %ST %Tr %rc %ts %HM %[var(txn.tried)] %HPO"
  http-request set-var(txn.kept) bool(true) if !{ http_first_req }
  http-request set-var(txn.began) date(0,ms)
"""
# Only Headway's own probes may choose an instance.
NO_CHOICE = "  http-request del-header x-headway- -m beg\n"


# Whoever asks for what nobody has: a plain word instead of the router's own 503.
UNKNOWN = f"""\
backend {APART}unknown
  http-request return status 404 content-type text/plain string "no service has this host and path\\n"
"""


def hosts_of(backends: Iterable[RouterBackend]) -> list[str]:
    """Return the names that services have, in the order of the services; an empty one is whatever name is left."""
    ways = (way for b in backends for way in (*b.prefixes, *(way for own in b.previews.values() for way in own)))
    hosts = list(dict.fromkeys(way.partition("/")[0] for way in ways))
    return hosts if any(hosts) else []


def tls_bind(entry: Entry) -> list[str]:
    """Return where HTTPS is taken; nothing without certificates."""
    files = "".join(f" crt {file}" for file in entry.certificates)
    return [f"  bind :{TLS_PORT} ssl{files} alpn h2,http/1.1 ssl-min-ver TLSv1.2\n"] if files else []


def to_https(entry: Entry) -> list[str]:
    """Return what sends users who came by HTTP on to HTTPS, with method and body (308)."""
    if not entry.certificates:
        return []
    port = "" if entry.https_port in (None, 443) else f":{entry.https_port}"
    came = f"if {{ dst_port {PORT} }} {{ req.hdr(x-forwarded-proto) -m str http }}"
    target = f"https://%[var(txn.name)]{port}%[capture.req.uri]"
    return [
        f"  http-request deny deny_status 400 {came} !{{ req.hdr(host) -m found }}\n",
        "  http-request set-var(txn.name) req.hdr(host),regsub(:[0-9]*$,)\n",
        f"  http-request redirect location {target} code 308 {came}\n",
    ]


def forwarded(entry: Entry) -> list[str]:
    """Return what tells an application how its user came in; what users say of it themselves is dropped.

    A trusted proxy is believed, and its own address is added to the line of those before it.
    """
    own = "" if not entry.trusted_proxies else " unless { src " + " ".join(entry.trusted_proxies) + " }"
    lines = [f"del-header {header}{own}" for header in ("x-forwarded- -m beg", "forwarded", "x-real-ip")]
    lines += ["add-header X-Forwarded-For %[src]"]
    plain, secure = f"{{ dst_port {PORT} }} ", "{ ssl_fc } "
    facts = [("Proto", "http", plain), ("Proto", "https", "")] if entry.certificates else [("Proto", "http", "")]
    facts += [("Host", "%[req.hdr(host)]", "{ req.hdr(host) -m found } ")]
    facts += [("Port", str(port), came) for port, came in ((entry.https_port, secure), (entry.port, plain)) if port]
    for name, value, came in facts:
        lines += [f"set-header X-Forwarded-{name} {value} if {came}!{{ req.hdr(x-forwarded-{name.lower()}) -m found }}"]
    return [f"  http-request {line}\n" for line in lines]


def host_of(hosts: Sequence[str], condition: str) -> list[str]:
    """Return what gives the first of the names to whoever asks, like a suite, by the router's own address."""
    if not all(hosts) or not hosts:
        return []
    known = "".join(f" !{_is_host(host)}" for host in hosts)
    condition = f"{condition or ' if'}{known}"
    return [_HOST, f"  http-request set-header Host {hosts[0].replace('*', 'www', 1)}{condition}\n"]


_HOST = "  http-request set-var(txn.host) req.hdr(host),lower,field(1,:)\n"


def _is_host(host: str) -> str:
    """Return the condition that a request is for `host`, or for one name below the domain of a `*`."""
    if not host.startswith("*."):
        return f"{{ var(txn.host) -m str {host} }}"
    return f"{{ var(txn.host) -m reg ^[^.]+[.]{host[2:].replace('.', '[.]')}$ }}"


def use_backends(hosts: Sequence[str], routed: Iterable[tuple[str, str]]) -> list[str]:
    """Return a line for each prefix and its backend; names are asked before no name, longer prefixes first."""

    def order(one: tuple[str, str]) -> tuple[bool, bool, int]:
        host, _, rest = one[0].partition("/")
        return (not host, host.startswith("*"), -len(rest))

    lines = [f"  use_backend {backend}{_condition(way)}\n" for way, backend in sorted(routed, key=order)]
    return [_HOST, *lines, f"  default_backend {APART}unknown\n"] if hosts else lines


def preview(colour: Colour) -> str:
    """Return how the backends of one slot alone end."""
    return f".preview-{colour}"


def _condition(way: str) -> str:
    host, _, rest = way.partition("/")
    named = f" {_is_host(host)}" if host else ""
    whole = f"/{rest}".rstrip("/")
    if not whole:
        return f" if{named}" if named else ""
    return f" if{named} {{ path {whole} }} or{named} {{ path_beg {whole}/ }}"

"""HAProxy: its configuration as text; what a running one says is in haproxy_runtime.py.

The settings are those under which no request of a forward shift failed; the reasons stand beside them. Rules from the
HAProxy 2.6 configuration manual (sections 4.2 retry-on, 5.2 server, 5.3 resolvers) and management guide (9.3).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import Field

from delivery.model import Model
from delivery.ports.slots import Colour
from delivery.spec.health import LOCAL_HOST, Health

PORT = 8080  # in the container; what is published is the target's choice
TLS_PORT = 8443  # published where the target has certificates
INSIDE_PORT = 8083  # not published: users' entry for Headway and what runs beside it, never sent on to HTTPS
PROBE_PORT = 8079  # on the container's loopback: reaches one chosen instance, whatever its weight
RUNTIME_PORT = 8078  # on the container's loopback
MASTER_PORT = 8077  # on the container's loopback: leads to every process, those too that a reload has replaced
# Not published: on the environment's network they lead to one slot alone, whatever its weight.
PREVIEW_PORTS: dict[Colour, int] = {"blue": 8081, "green": 8082}
COLOURS: tuple[Colour, Colour] = ("blue", "green")
MAX_WEIGHT = 256
RETRIES = 5
USUAL_SECONDS = 60  # of silence on a connection where no service says more

_HEAD = f"""\
global
  maxconn 4000
  stats socket ipv4@127.0.0.1:{RUNTIME_PORT} level admin expose-fd listeners
  stats timeout 10m
# What users were answered, in how long and by whom; the oldest lines make room for new ones.
# No hard-stop-after: a process that a reload has replaced lives as long as the connections it still has.
ring answers
  format raw
  maxlen 256
  size 1048576
resolvers docker
  nameserver dns 127.0.0.11:53
  resolve_retries 3
  timeout resolve 200ms
  timeout retry 200ms
  hold valid 1s
  hold nx 0
  # The engine's DNS ends with the engine, while what it started lives on (section 5.3.2: 30 s without these).
  hold timeout 1d
  hold refused 1d
  hold other 1d
defaults
  mode http
  # A killed container's address answers nothing: this bounds the pause. Whoever is too busy to accept is asked again
  # by the kernel after one second.
  timeout connect 1200ms
  timeout http-request 60s
  timeout queue 5s
  timeout http-keep-alive 60s
  # Connections of clients are kept, those to instances are not: one that was kept may be dead without a word, and what
  # is sent on it is lost or, worse, executed and not answered.
  option http-server-close
  http-reuse never
  # A reload would close idle connections that a client is about to use.
  option idle-close-on-response
  option redispatch 1
  # So many that two instances which end at the same moment are found down before a request gives up.
  retries {RETRIES}
  # Nothing that takes long is asked twice: what timed out may still be at work.
  retry-on conn-failure empty-response 500 502 503
"""

_SETTLED = "# settled: "
_ENTRY = "# entry: "
APART = "."  # in the names of backends that only Headway asks; names of services have no dots
_PROBES = f"{APART}probes"
SPARE = ".spare"
# An application too busy for its checks still answers its users, only late: when no check passes, its instances with
# traffic are asked all the same. Nobody is refused, but one that hangs may not hold all of the router's connections.
LAST = ".last"
_LAST_LIMIT = " maxconn 200"
# An instance and its spare have the same address (section 5.2: HAProxy gives none twice in a backend otherwise).
_RESOLVED = " resolvers docker resolve-prefer ipv4 resolve-opts allow-dup-ip init-addr libc,none"


class RouterServer(Model):
    """One instance as the router knows it."""

    colour: Colour
    number: int = Field(ge=1)
    address: str = Field(description="name of the container, which the engine's DNS resolves")
    port: int
    weight: int = Field(ge=0, le=MAX_WEIGHT)

    @property
    def name(self) -> str:
        """Its name in the backend."""
        return f"{self.colour}-{self.number}"


class Entry(Model):
    """How users come in: published ports, certificates, and the proxies that are believed."""

    port: int | None = None
    https_port: int | None = None
    certificates: tuple[str, ...] = Field((), description="files in the container; the first is for unknown names")
    trusted_proxies: tuple[str, ...] = ()


class RouterBackend(Model):
    """One service with its instances in both slots."""

    service: str
    health: Health = Health()
    prefixes: tuple[str, ...] = Field((), description="path prefixes, behind a host where one is said: shop.org/api")
    previews: dict[Colour, tuple[str, ...]] = Field({}, description="prefixes by the routes of one slot alone")
    servers: tuple[RouterServer, ...] = ()
    request_seconds: int = Field(USUAL_SECONDS, description="until the first byte of an answer, and between two")
    idle_seconds: int = Field(USUAL_SECONDS, description="of silence on an upgraded connection")
    spare: Colour | None = Field(
        None, description="the slot that steps in, whatever its weight, when the other is down"
    )

    @property
    def spares(self) -> tuple[RouterServer, ...]:
        """The servers that step in: none where there is no other slot."""
        others = any(server.colour != self.spare for server in self.servers)
        return tuple(server for server in self.servers if server.colour == self.spare and others)


def weights(percents: Mapping[Colour, int], counts: Mapping[Colour, int]) -> dict[Colour, int]:
    """Return the weight of each instance of a slot, so that the slots share requests by `percents`."""
    present = [colour for colour in COLOURS if counts.get(colour)]
    if len(present) == 1:
        return {present[0]: MAX_WEIGHT if percents.get(present[0]) else 0}
    raw = {colour: percents.get(colour, 0) / counts[colour] for colour in present}
    if all(value == int(value) for value in raw.values()):  # then people see the percents they wrote
        return {colour: int(value) for colour, value in raw.items()}
    small, large = sorted(raw.values())
    if not small:
        return {colour: MAX_WEIGHT if value else 0 for colour, value in raw.items()}
    # The smaller one first: rounding it to the larger one's scale would be felt most.
    lesser = max(1, int(MAX_WEIGHT * small / large))
    greater = min(MAX_WEIGHT, round(lesser * large / small))
    return {colour: greater if value == large else lesser for colour, value in raw.items()}


def configuration(backends: Sequence[RouterBackend], remembered: str = "", entry: Entry | None = None) -> str:
    """Return the whole configuration file: weights and instances as they are now.

    `remembered` is what the file says of the release that passed every watch last: its fingerprint and since when.
    """
    entry = entry or Entry()
    hosts = _hosts(backends)
    patience = f"  timeout client {max([USUAL_SECONDS, *(b.request_seconds for b in backends)])}s\n"
    parts = [f"{_SETTLED}{remembered}\n", f"{_ENTRY}{entry.model_dump_json()}\n", _HEAD]
    parts += [f"frontend public\n  bind :{PORT}\n  bind :{INSIDE_PORT}\n", *_tls(entry), patience]
    parts += [_ANSWERS, _RETRIES, _NO_CHOICE]
    parts += [*_host_of(hosts, f" if {{ dst_port {INSIDE_PORT} }}"), *_forwarded(entry), *_to_https(entry)]
    parts += _use_backends(hosts, ((prefix, backend.service) for backend in backends for prefix in backend.prefixes))
    parts += [f"frontend probe\n  bind 127.0.0.1:{PROBE_PORT}\n", patience, _RETRIES, *_forwarded(entry)]
    parts += [
        f"  use_backend {b.service}{_PROBES} if {{ req.hdr(x-headway-service) -m str {b.service} }}\n" for b in backends
    ]
    for colour in COLOURS:
        parts += [f"frontend preview-{colour}\n  bind :{PREVIEW_PORTS[colour]}\n", patience, _RETRIES, _NO_CHOICE]
        parts += [*_host_of(hosts, ""), *_forwarded(entry)]
        parts += _use_backends(
            hosts, ((prefix, b.service + _preview(colour)) for b in backends for prefix in b.previews.get(colour, ()))
        )
    secure = bool(entry.certificates)
    parts += [part for b in backends for part in (_backend(b, secure=secure), _probe_backend(b), _preview_backends(b))]
    return "".join([*parts, _UNKNOWN if hosts else ""])


# What may change something is not sent twice: only what is known to change nothing, and what never reached anybody.
_RETRIES = """\
  http-request set-var(txn.once) bool(true) if !{ method GET HEAD OPTIONS }
  http-request disable-l7-retry if { var(txn.once) -m found }
"""
_ANSWERS = """\
  log ring@answers format raw local0
  log-format "%b %s %ST %Tr %rc %ts %HM %[var(txn.tried)] %HPO"
  http-request set-var(txn.kept) bool(true) if !{ http_first_req }
  http-request set-var(txn.began) date(0,ms)
"""
# Only Headway's own probes may choose an instance.
_NO_CHOICE = "  http-request del-header x-headway- -m beg\n"


# Whoever asks for what nobody has: a plain word instead of the router's own 503.
_UNKNOWN = f"""\
backend {APART}unknown
  http-request return status 404 content-type text/plain string "no service has this host and path\\n"
"""


def _hosts(backends: Iterable[RouterBackend]) -> list[str]:
    """Return the names that services have, in the order of the services; an empty one is whatever name is left."""
    ways = (way for b in backends for way in (*b.prefixes, *(way for own in b.previews.values() for way in own)))
    hosts = list(dict.fromkeys(way.partition("/")[0] for way in ways))
    return hosts if any(hosts) else []


def _tls(entry: Entry) -> list[str]:
    files = "".join(f" crt {file}" for file in entry.certificates)
    return [f"  bind :{TLS_PORT} ssl{files} alpn h2,http/1.1 ssl-min-ver TLSv1.2\n"] if files else []


def _to_https(entry: Entry) -> list[str]:
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


def _forwarded(entry: Entry) -> list[str]:
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


def _host_of(hosts: Sequence[str], condition: str) -> list[str]:
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


def _use_backends(hosts: Sequence[str], routed: Iterable[tuple[str, str]]) -> list[str]:
    """Return a line for each prefix and its backend; names are asked before no name, longer prefixes first."""

    def order(one: tuple[str, str]) -> tuple[bool, bool, int]:
        host, _, rest = one[0].partition("/")
        return (not host, host.startswith("*"), -len(rest))

    lines = [f"  use_backend {backend}{_condition(way)}\n" for way, backend in sorted(routed, key=order)]
    return [_HOST, *lines, f"  default_backend {APART}unknown\n"] if hosts else lines


def _preview(colour: Colour) -> str:
    return f".preview-{colour}"


def _condition(way: str) -> str:
    host, _, rest = way.partition("/")
    named = f" {_is_host(host)}" if host else ""
    whole = f"/{rest}".rstrip("/")
    if not whole:
        return f" if{named}" if named else ""
    return f" if{named} {{ path {whole} }} or{named} {{ path_beg {whole}/ }}"


def _limits(backend: RouterBackend) -> list[str]:
    return [f"  timeout server {backend.request_seconds}s", f"  timeout tunnel {backend.idle_seconds}s"]


def _told(backend: RouterBackend) -> list[str]:
    """Return the rules by which the line of an answer says who was tried, and that there is a line in any case.

    HAProxy closes a kept connection of a client without a line when the instance closed its own without an answer
    (seen with 2.6; the first request of a connection is answered with 502). Where no other try comes, the connection
    is rejected instead: the client sees the same, and it is told. A time limit that passed is still answered with 504.
    """
    last = f"{{ var(txn.tried) -m reg ^([^,]*,){{{RETRIES + 1}}} }}"
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


def _backend(backend: RouterBackend, *, secure: bool) -> str:
    lines = [f"backend {backend.service}", "  balance roundrobin", *_limits(backend), *_told(backend)]
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
        f"  server {server.name} {server.address}:{server.port} check weight {server.weight}{_RESOLVED}"
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


def _probe_backend(backend: RouterBackend) -> str:
    """Return the way of Headway's own questions to one chosen instance: counted apart from what users ask."""
    lines = [f"backend {backend.service}{_PROBES}", *_limits(backend)]
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


def _preview_backends(backend: RouterBackend) -> str:
    """Return the ways to the instances of one slot alone, for checks: counted apart from what users ask."""
    lines: list[str] = []
    for colour in COLOURS:
        servers = [server for server in backend.servers if server.colour == colour]
        # An error that a second try would hide is what a check looks for; a connection that had gone is none.
        lines += [f"backend {backend.service}{_preview(colour)}", "  balance roundrobin", *_limits(backend)]
        lines += ["  retry-on conn-failure empty-response", "  http-response set-header x-headway-instance %s"]
        lines += [
            f"  server {server.name} {server.address}:{server.port} track {backend.service}/{server.name}{_RESOLVED}"
            for server in servers
        ]
    return "\n".join(lines) + "\n"


def settled(fingerprint: str, now: datetime) -> str:
    """Return what a configuration shall remember of a release that passed every watch at `now`."""
    return f"{fingerprint} {now.isoformat(timespec='seconds')}"


def remembered_in(text: str) -> str:
    """Return what the configuration remembers of the release that passed every watch last."""
    first = text.partition("\n")[0]
    return first.removeprefix(_SETTLED) if first.startswith(_SETTLED) else ""


def entry_in(text: str) -> Entry:
    """Return how users come in, as the configuration remembers it."""
    found = next((line.removeprefix(_ENTRY) for line in text.splitlines()[:5] if line.startswith(_ENTRY)), "{}")
    return Entry.model_validate_json(found)


def settled_in(text: str) -> str:
    """Return the fingerprint of the release that passed every watch last, as the configuration remembers it."""
    return remembered_in(text).partition(" ")[0]


def settled_at(text: str) -> datetime | None:
    """Return when that release had passed every watch, or none when the configuration does not say it."""
    moment = remembered_in(text).partition(" ")[2]
    return datetime.fromisoformat(moment) if moment else None


def weights_in(text: str) -> dict[tuple[str, str], int]:
    """Return (service, server) → weight as the configuration says."""
    found: dict[tuple[str, str], int] = {}
    service = ""
    for words in map(str.split, text.splitlines()):
        if words[:1] == ["backend"]:
            service = words[1]
        elif words[:1] == ["server"] and "weight" in words and not words[1].endswith(LAST):
            found[service, words[1]] = int(words[words.index("weight") + 1])
    return found


def percents(found: Mapping[tuple[str, str], int]) -> dict[Colour, int]:
    """Return what share of new requests each slot gets, from the weights of its servers."""
    shares: dict[Colour, int] = {"blue": 0, "green": 0}
    for service in sorted({name for name, _ in found}):
        own = {server: weight for (name, server), weight in found.items() if name == service}
        sums = {colour: sum(own[server] for server in own if is_of(server, colour)) for colour in COLOURS}
        if total := sum(sums.values()):
            shares = {colour: round(100 * sums[colour] / total) for colour in COLOURS}
        if all(any(is_of(server, colour) for server in own) for colour in COLOURS):
            break  # a service that both slots have tells the share; one of a single slot only whether it takes any
    return shares


def is_of(server: str, colour: Colour) -> bool:
    """Whether a server is an instance of the slot."""
    return server.startswith(f"{colour}-")


def weight_commands(backends: Iterable[RouterBackend]) -> list[str]:
    """Return the runtime commands that give every server its weight."""
    return [
        f"set server {backend.service}/{server.name}{part} weight {server.weight}"
        for backend in backends
        for server in backend.servers
        for part in ("", LAST)
    ]

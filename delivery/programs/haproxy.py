"""HAProxy: its configuration as text; what a running one says is in haproxy_runtime.py.

The settings are those under which no request of a forward shift failed; the reasons stand beside them. Rules from the
HAProxy 2.6 configuration manual (sections 4.2 retry-on, 5.2 server, 5.3 resolvers) and management guide (9.3).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from delivery.ports.slots import COLOURS, Colour
from delivery.programs.haproxy_backends import backend_section, preview_sections, probe_section
from delivery.programs.haproxy_frontends import (
    ANSWERS,
    NO_CHOICE,
    RETRY_RULES,
    UNKNOWN,
    forwarded,
    host_of,
    hosts_of,
    preview,
    tls_bind,
    to_https,
    use_backends,
)
from delivery.programs.haproxy_values import (
    INSIDE_PORT,
    LAST,
    MAX_WEIGHT,
    PORT,
    PREVIEW_PORTS,
    PROBE_PORT,
    PROBES,
    RETRIES,
    RUNTIME_PORT,
    USUAL_SECONDS,
    Entry,
    RouterBackend,
)

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
  retries {RETRIES}
  # Nothing that takes long is asked twice: what timed out may still be at work.
  retry-on conn-failure empty-response 500 502 503
"""

_SETTLED = "# settled: "
_ENTRY = "# entry: "


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
    hosts = hosts_of(backends)
    patience = f"  timeout client {max([USUAL_SECONDS, *(b.request_seconds for b in backends)])}s\n"
    parts = [f"{_SETTLED}{remembered}\n", f"{_ENTRY}{entry.model_dump_json()}\n", _HEAD]
    parts += [f"frontend public\n  bind :{PORT}\n  bind :{INSIDE_PORT}\n", *tls_bind(entry), patience]
    parts += [ANSWERS, RETRY_RULES, NO_CHOICE]
    parts += [*host_of(hosts, f" if {{ dst_port {INSIDE_PORT} }}"), *forwarded(entry), *to_https(entry)]
    parts += use_backends(hosts, ((prefix, backend.service) for backend in backends for prefix in backend.prefixes))
    parts += [f"frontend probe\n  bind 127.0.0.1:{PROBE_PORT}\n", patience, RETRY_RULES, *forwarded(entry)]
    parts += [
        f"  use_backend {b.service}{PROBES} if {{ req.hdr(x-headway-service) -m str {b.service} }}\n" for b in backends
    ]
    for colour in COLOURS:
        parts += [f"frontend preview-{colour}\n  bind :{PREVIEW_PORTS[colour]}\n", patience, RETRY_RULES, NO_CHOICE]
        parts += [*host_of(hosts, ""), *forwarded(entry)]
        parts += use_backends(
            hosts, ((prefix, b.service + preview(colour)) for b in backends for prefix in b.previews.get(colour, ()))
        )
    secure = bool(entry.certificates)
    for b in backends:
        parts += [backend_section(b, secure=secure), probe_section(b), preview_sections(b)]
    return "".join([*parts, UNKNOWN if hosts else ""])


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

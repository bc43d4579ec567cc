"""What a running HAProxy says: its servers, its processes, and what users were answered.

Rules from the HAProxy 2.6 management guide (9.1 counters, 9.3 commands, 9.4 the master) and the configuration manual
(8.5 how a request ended).
"""

import csv
import io
from collections import Counter
from collections.abc import Mapping

from pydantic import Field

from delivery.model import Model
from delivery.ports.latency import LatencyHistogram
from delivery.ports.observation import SlotCounts
from delivery.ports.slots import COLOURS, Colour
from delivery.programs.haproxy import is_of
from delivery.programs.haproxy_values import APART, LAST, SPARE

WORKERS = "show proc"
ANSWERS_SO_FAR = "show events answers"
ANSWERS_FROM_NOW = "show events answers -w -n"  # wait for new ones, begin with the next
LONGEST_PATH = 60


class ServerStat(Model):
    """What `show stat` says of one server."""

    service: str
    server: str
    status: str
    weight: int
    sessions: int
    requests: int
    check: str = Field("", description="what its last check came to: `L7STS 503`, `L4CON` (management guide 9.1)")

    @property
    def colour(self) -> str:
        """The slot it belongs to."""
        return self.server.partition("-")[0]

    @property
    def is_up(self) -> bool:
        """Whether its checks pass; one without checks yet is not up."""
        return self.status.startswith("UP")

    @property
    def is_late(self) -> bool:
        """Whether it is down for nothing but a check that was not answered in time, or for users' own connections."""
        return not self.is_up and self.check.startswith(("L4TOUT", "L7TOUT", "HANA"))


def parse_stat(text: str) -> list[ServerStat]:
    """Return the servers in the CSV of `show stat`: no frontends, no backends, and not what only Headway asks."""
    start = text.find("# pxname")
    if start < 0:
        return []
    rows = csv.DictReader(io.StringIO(text[start + 2 :]))
    servers = (row for row in rows if row.get("svname") not in (None, "", "FRONTEND", "BACKEND"))
    found: dict[tuple[str, str], ServerStat] = {}
    for one in [_server(row) for row in servers if APART not in row["pxname"]]:
        name = one.server.removesuffix(SPARE).removesuffix(LAST)
        found[one.service, name] = one if name == one.server else _together(found[one.service, name], one)
    return list(found.values())


def _together(server: ServerStat, again: ServerStat) -> ServerStat:
    """Return the server with what reached it as a spare or as the last resort."""
    sums = {name: getattr(server, name) + getattr(again, name) for name in ("sessions", "requests")}
    return server.model_copy(update=sums)


def parse_workers(text: str) -> list[int]:
    """Return the process numbers in `show proc`: of the one that serves, and of those that a reload has replaced."""
    lines = (line.split() for line in text.splitlines())
    return [int(words[0]) for words in lines if words[1:2] == ["worker"] and words[0].isdecimal()]


def in_flight(text: str) -> int:
    """Return how many requests and upgraded connections are in `show sess`; the command's own line is none."""
    return sum(line.startswith("0x") and " fe=GLOBAL " not in line for line in text.splitlines())


def parse_answers(text: str) -> dict[Colour, SlotCounts]:
    """Return what users of each slot were answered, from lines of the ring `answers`.

    A request that was tried more than once tells the time of several servers: its time is left out. What another try
    hid from the user is counted for the slot that was at fault, unless the user was answered by it with an error.
    """
    seen = {colour: _Seen() for colour in COLOURS}
    for line in text.splitlines():
        match line.split(None, 8):
            case [_, server, status, milliseconds, retries, ended, method, tried, path]:
                asked = f"{method} {path[:LONGEST_PATH]}"
                own, failure = _slot(server), _failure(status, ended)
                if own:
                    seen[own].requests += 1
                    seen[own].failed[f"{asked} {failure}"] += bool(failure)
                    if retries == "0" and milliseconds.isdecimal():  # -1 where no answer came
                        seen[own].times.append(float(milliseconds))
                before = {_slot(name) for name in tried.split(",")[:-2]} - {own if failure else None}
                for colour in COLOURS:
                    seen[colour].hidden[asked] += colour in before
    return {colour: one.counts() for colour, one in seen.items()}


class _Seen:
    """What is counted for one slot while lines are read."""

    def __init__(self) -> None:
        self.requests, self.times = 0, list[float]()
        self.failed, self.hidden = Counter[str](), Counter[str]()

    def counts(self) -> SlotCounts:
        return SlotCounts(
            requests=self.requests,
            errors=self.failed.total(),
            what_failed=dict(+self.failed),
            hidden=self.hidden.total(),
            what_was_hidden=dict(+self.hidden),
            latency=LatencyHistogram.of(self.times),
        )


def _slot(server: str) -> Colour | None:
    return next((colour for colour in COLOURS if is_of(server, colour)), None)


def _failure(status: str, ended: str) -> str:
    """Return in what way a user was failed, or nothing; the two signs of the end are those of section 8.5."""
    if not status.isdecimal() or int(status) < 100:
        return "" if ended[0] in "Cc" else "no answer"  # C: the client went away
    if int(status) >= 500:
        return status
    # An upgraded connection ends when either side wants.
    return f"{status} cut short" if ended[0] in "Ss" and status != "101" else ""


def _server(row: Mapping[str, str]) -> ServerStat:
    def count(*names: str) -> int:
        return sum(int(row.get(name) or 0) for name in names)

    return ServerStat(
        service=row["pxname"],
        server=row["svname"],
        status=row["status"],
        weight=count("weight"),
        check=f"{(row.get('check_status') or '').lstrip('* ')} {row.get('check_code') or ''}".strip(),
        sessions=count("scur", "qcur"),
        requests=count("stot"),  # not `req_tot`, which leaves out what was tried again elsewhere
    )

"""What a running HAProxy says of its servers, its processes and the answers of users."""

import pytest

from delivery.ports.latency import LatencyHistogram
from delivery.programs import haproxy_runtime

FIGURES = "pxname,svname,qcur,scur,stot,econ,eresp,wretr,wredis,status,weight,hrsp_5xx,req_tot"


def stat(*lines):
    return "\n".join([f"# {FIGURES},", *lines, ""])


def test_what_asks_for_the_sessions_is_none_of_them():
    own = "0x55d0: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 age=0s\n"
    user = "0x55d1: proto=tcpv4 src=10.0.0.1:50000 fe=public be=web srv=blue-1 ts=00 age=3s\n"

    assert [haproxy_runtime.in_flight(text) for text in ("\n", own, own + user + user)] == [0, 0, 2]


def test_every_process_of_a_router_is_known():
    told = "#<PID> <type> <reloads> <uptime> <version>\n1 master 2 [failed: 0] 0d00h05m 2.6.12\n# workers\n"
    told += "25 worker 0 0d00h00m01s 2.6.12\n# old workers\n21 worker 1 0d00h02m21s 2.6.12\n# programs\n\n"

    assert haproxy_runtime.parse_workers(told) == [25, 21]


def test_counters_are_read_for_each_server_and_nothing_else():
    found = haproxy_runtime.parse_stat(
        stat(
            "public,FRONTEND,,0,9,,,,,OPEN,,0,9",
            "web,blue-1,1,2,90,1,2,3,4,UP,100,5,95",
            "web,green-1,0,0,0,0,0,0,0,DOWN 1/2,0,0,0",
            "web,BACKEND,0,2,90,1,2,3,4,UP,100,5,95",
        )
    )

    assert [(one.service, one.server, one.colour, one.is_up) for one in found] == [
        ("web", "blue-1", "blue", True),
        ("web", "green-1", "green", False),
    ]
    assert (found[0].weight, found[0].sessions, found[0].requests) == (100, 3, 90)


@pytest.mark.parametrize(
    ("status", "is_up"),
    [("UP", True), ("UP 1/2", True), ("DOWN", False), ("no check", False), ("MAINT", False), ("NOLB", False)],
)
def test_only_a_server_whose_checks_pass_is_up(status, is_up):
    [found] = haproxy_runtime.parse_stat(stat(f"web,blue-1,0,0,0,0,0,0,0,{status},1,0,0"))

    assert found.is_up is is_up


def test_what_reaches_a_slot_that_steps_in_is_counted_as_its_own():
    [found] = haproxy_runtime.parse_stat(
        stat(
            "web,blue-1,0,1,7,0,0,0,0,DOWN,1,0,7",
            "web,blue-1.spare,0,2,5,1,0,0,0,UP,1,0,5",
            "web,blue-1.last,0,1,4,1,0,0,0,no check,1,0,4",
        )
    )

    assert (found.server, found.weight, found.sessions, found.requests) == ("blue-1", 1, 4, 16)
    assert not found.is_up


def test_what_only_probes_ask_is_not_counted():
    assert haproxy_runtime.parse_stat(stat("web.probes,blue-1,0,0,7,0,0,0,0,UP,1,0,7")) == []


def test_response_times_are_told_by_slot_without_requests_tried_twice():
    lines = [
        "web blue-1 200 12 0 -- GET blue-1, /",
        "web green-2 500 7 0 -- POST - /",
        "web green-1 200 9 1 -- GET - /",
    ]
    broken = ["web <NOSRV> 503 -1 0 SC GET - /", "web green-1 -1 -1 0 CH GET - /", "", "> ", "web green-1 200 8 0 --"]

    found = haproxy_runtime.parse_answers("\n".join(lines + broken))

    assert {colour: one.latency for colour, one in found.items()} == {
        "blue": LatencyHistogram.of([12.0]),
        "green": LatencyHistogram.of([7.0]),
    }
    assert (found["blue"].requests, found["green"].requests) == (1, 3)


@pytest.mark.parametrize(
    ("line", "failed"),
    [
        ("web green-1 200 12 0 -- GET green-1, /", {}),
        ("web green-1 404 12 0 -- GET green-1, /x", {}),
        ("web green-1 500 12 0 -- POST - /pay", {"POST /pay 500": 1}),
        ("web green-1 504 -1 0 sH GET green-1, /slow", {"GET /slow 504": 1}),
        ("web green-1.last 503 -1 5 SC GET - /", {"GET / 503": 1}),
        ("web green-1 -1 -1 0 PD POST - /pay", {"POST /pay no answer": 1}),
        ("web green-1 200 3 0 SD GET green-1, /half", {"GET /half 200 cut short": 1}),
        ("web green-1 200 3 0 sD GET green-1, /stream", {"GET /stream 200 cut short": 1}),
        ("web green-1 200 3 0 CD GET green-1, /left", {}),
        ("web green-1 -1 -1 0 CH GET green-1, /left", {}),
        ("web green-1 101 3 0 SD GET green-1, /socket", {}),
        ("web green-1 500 3 0 -- GET green-1, /" + "x" * 99, {"GET /" + "x" * 59 + " 500": 1}),
    ],
)
def test_what_a_user_was_answered_is_what_counts(line, failed):
    found = haproxy_runtime.parse_answers(line)["green"]

    assert (found.requests, found.errors, found.what_failed) == (1, len(failed), failed)
    assert (found.hidden, found.what_was_hidden) == (0, {})


@pytest.mark.parametrize(
    ("line", "hidden", "errors"),
    [
        ("web blue-1 200 9 +1 -- GET green-1,blue-1, /cart", {"green": 1, "blue": 0}, 0),
        ("web green-1 200 9 2 -- GET green-1,green-1,green-1, /cart", {"green": 1, "blue": 0}, 0),
        ("web green-1 500 9 5 -- GET green-1,green-1,green-1, /cart", {"green": 0, "blue": 0}, 1),
        ("web blue-1 500 9 +1 -- GET green-1,blue-1, /cart", {"green": 1, "blue": 0}, 1),
        ("web blue-1 200 9 +1 -- POST - /cart", {"green": 0, "blue": 0}, 0),
    ],
    ids=["another slot", "the same slot", "the user saw it", "both fail", "only a connection failed"],
)
def test_an_error_that_another_try_hid_is_known_to_the_slot_that_made_it(line, hidden, errors):
    found = haproxy_runtime.parse_answers(line)

    assert {colour: one.hidden for colour, one in found.items()} == hidden
    assert sum(one.errors for one in found.values()) == errors
    assert found["green"].what_was_hidden == ({"GET /cart": 1} if hidden["green"] else {})


@pytest.mark.parametrize("text", ["", "Unknown command.\n", f"# {FIGURES},\n"])
def test_an_answer_without_servers_has_none(text):
    assert haproxy_runtime.parse_stat(text) == []


def test_what_checks_ask_of_one_slot_is_not_counted():
    assert haproxy_runtime.parse_stat(stat("web.preview-blue,blue-1,0,0,7,0,0,0,0,UP,1,0,7")) == []


def test_what_a_check_found_is_told_and_a_late_answer_is_not_a_wrong_one():
    head = "pxname,svname,stot,status,weight,check_status,check_code"
    rows = ["web,blue-1,0,DOWN,1,L7STS,503", "web,blue-2,0,DOWN,1,* L7TOUT,", "web,blue-3,0,UP,1,L7OK,200"]

    found = haproxy_runtime.parse_stat("\n".join([f"# {head}", *rows]))

    assert [(one.check, one.is_late) for one in found] == [("L7STS 503", False), ("L7TOUT", True), ("L7OK 200", False)]

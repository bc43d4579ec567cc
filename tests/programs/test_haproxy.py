"""HAProxy: its file, its runtime commands, and what its counters say."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.programs import haproxy, haproxy_values
from delivery.programs.haproxy_values import MAX_WEIGHT, Entry, RouterBackend, RouterServer
from delivery.spec.health import Health
from delivery.spec.services import Service
from tests.delivery.values import NOON

MARKED_DOWN = " observe layer4 error-limit 2 on-error mark-down"
RESOLVED = " resolvers docker resolve-prefer ipv4 resolve-opts allow-dup-ip init-addr libc,none"
FIGURES = "pxname,svname,qcur,scur,stot,econ,eresp,wretr,wredis,status,weight,hrsp_5xx,req_tot"
KEPT = "!{ var(txn.kept) -m found }"


def server(colour="blue", number=1, weight=100):
    return RouterServer(colour=colour, number=number, address=f"shop-{colour}-{number}", port=8000, weight=weight)


def backend(service="web", *servers, prefixes=("/",), health=None):
    asked = Health(path=health)
    return RouterBackend(service=service, prefixes=prefixes, servers=servers or (server(),), health=asked)


def stat(*lines):
    return "\n".join([f"# {FIGURES},", *lines, ""])


def section(text, name):
    """Return the lines of one section."""
    return re.search(rf"^{name}\n((?:  .*\n)*)", text, re.MULTILINE)[1].splitlines()


def test_a_service_of_two_slots_is_one_backend():
    text = haproxy.configuration([backend("web", server("blue"), server("green", weight=0), health="/healthz")])

    assert section(text, "backend web") == [
        "  balance roundrobin",
        "  retries 5",
        "  timeout server 60s",
        "  timeout tunnel 60s",
        "  tcp-response inspect-delay 7d",
        '  tcp-response content set-var-fmt(txn.tried) "%[var(txn.tried)]%[srv_name],"'
        " if !{ var(txn.once) -m found } !{ var(txn.tried) -m reg ^([^,]*,){6} }",
        f"  tcp-response content accept if {KEPT}",
        "  tcp-response content accept if !{ var(txn.once) -m found } !{ var(txn.tried) -m reg ^([^,]*,){6} }",
        "  tcp-response content accept if { res.len gt 0 }",
        "  tcp-response content accept if { date(0,ms),sub(txn.began) ge 59900 }",
        "  tcp-response content reject",
        "  option httpchk",
        "  http-check send meth GET uri /healthz hdr Host localhost",
        "  http-check expect status 200-299",
        "  timeout check 5000ms",
        "  http-response set-header x-headway-instance %s",
        "  default-server inter 300ms fastinter 150ms downinter 300ms fall 3 rise 1",
        f"  server blue-1 shop-blue-1:8000 check weight 100{MARKED_DOWN}{RESOLVED}",
        f"  server green-1 shop-green-1:8000 check weight 0{MARKED_DOWN}{RESOLVED}",
        f"  server blue-1.last shop-blue-1:8000 backup weight 100 maxconn 200{RESOLVED}",
        f"  server green-1.last shop-green-1:8000 backup weight 0 maxconn 200{RESOLVED}",
    ]


def test_known_addresses_outlive_the_engine_whose_dns_gave_them_and_not_the_containers_they_led_to():
    held = [line for line in section(haproxy.configuration([backend()]), "resolvers docker") if "hold" in line]

    assert held == ["  hold valid 1s", "  hold nx 0", "  hold timeout 1d", "  hold refused 1d", "  hold other 1d"]


@pytest.mark.parametrize(("instances", "retries"), [(1, 5), (2, 5), (3, 7), (4, 9), (5, 9), (10, 9)])
def test_a_request_alone_finds_all_dead_instances_of_a_slot_down_before_its_tries_end(instances, retries):
    servers = [server(number=one + 1) for one in range(instances)]
    text = haproxy.configuration([backend("web", *servers, server("green", weight=0))])

    assert f"  retries {retries}" in section(text, "backend web")
    assert f"^([^,]*,){{{retries + 1}}}" in text


def test_without_a_health_path_the_port_is_checked():
    assert "httpchk" not in haproxy.configuration([backend()])


def test_the_longest_prefix_is_asked_first_and_only_whole_parts_match():
    routed = [backend("web"), backend("api", prefixes=("/api", "/api/v2/")), backend("worker", prefixes=())]

    lines = [line for line in section(haproxy.configuration(routed), "frontend public") if "use_backend" in line]

    assert lines == [
        "  use_backend api if { path /api/v2 } or { path_beg /api/v2/ }",
        "  use_backend api if { path /api } or { path_beg /api/ }",
        "  use_backend web",
    ]


def test_nobody_outside_chooses_an_instance_and_no_post_is_sent_twice():
    public = section(haproxy.configuration([backend()]), "frontend public")

    assert public[:10] == [
        "  bind :8080",
        "  bind :8083",
        "  timeout client 60s",
        "  log ring@answers format raw local0",
        '  log-format "%b %s %ST %Tr %rc %ts %HM %[var(txn.tried)] %HPO"',
        "  http-request set-var(txn.kept) bool(true) if !{ http_first_req }",
        "  http-request set-var(txn.began) date(0,ms)",
        "  http-request set-var(txn.once) bool(true) if !{ method GET HEAD OPTIONS }",
        "  http-request disable-l7-retry if { var(txn.once) -m found }",
        "  http-request del-header x-headway- -m beg",
    ]


def test_what_takes_long_is_asked_once_and_no_connection_to_an_instance_is_used_twice():
    head = section(haproxy.configuration([backend()]), "defaults")

    assert "  retry-on conn-failure empty-response 500 502 503" in head
    assert {"  option http-server-close", "  http-reuse never"} <= set(head)
    assert "reuse safe" not in haproxy.configuration([backend()])


def test_no_process_that_a_reload_has_replaced_is_stopped_while_users_are_connected():
    assert "hard-stop-after" not in haproxy.configuration([backend()]).replace("# No hard-stop-after", "")


def test_each_service_has_its_own_time_limits_and_clients_the_longest():
    patient = backend("api", prefixes=("/api",)).model_copy(update={"request_seconds": 900, "idle_seconds": 7200})

    text = haproxy.configuration([backend(), patient])

    for name in ("api", r"api\.probes", r"api\.preview-blue"):
        limits = [line for line in section(text, f"backend {name}") if "timeout s" in line or "timeout t" in line]
        assert limits == ["  timeout server 900s", "  timeout tunnel 7200s"]
    assert "  timeout server 60s" in section(text, "backend web")
    assert "  timeout client 900s" in section(text, "frontend public")


def test_only_the_loopback_reaches_one_chosen_instance():
    probe = section(haproxy.configuration([backend("web"), backend("api", prefixes=("/api",))]), "frontend probe")

    assert probe[0] == "  bind 127.0.0.1:8079"
    assert probe[-2:] == [
        "  use_backend web.probes if { req.hdr(x-headway-service) -m str web }",
        "  use_backend api.probes if { req.hdr(x-headway-service) -m str api }",
    ]


@pytest.mark.parametrize("settled", ["", "0123456789ab"])
def test_the_file_remembers_the_release_that_passed_last(settled):
    assert haproxy.settled_in(haproxy.configuration([backend()], settled)) == settled


def test_the_file_remembers_since_when_a_release_is_settled():
    text = haproxy.configuration([backend()], haproxy.settled("0123456789ab", NOON))

    assert (haproxy.settled_in(text), haproxy.settled_at(text)) == ("0123456789ab", NOON)
    assert haproxy.remembered_in(haproxy.configuration([], haproxy.remembered_in(text))) == haproxy.remembered_in(text)


def test_a_file_of_something_else_remembers_nothing():
    assert haproxy.settled_at("global\n") is None
    assert haproxy.settled_at(haproxy.configuration([backend()], "0123456789ab")) is None
    assert haproxy.settled_in("global\n") == ""
    assert haproxy.settled_in("") == ""


def test_weights_are_read_back_from_the_file():
    routed = [backend("web", server("blue", weight=90), server("green", weight=10)), backend("api", prefixes=("/a",))]

    assert haproxy.weights_in(haproxy.configuration(routed)) == {
        ("web", "blue-1"): 90,
        ("web", "green-1"): 10,
        ("api", "blue-1"): 100,
    }


def test_every_server_gets_its_weight_by_a_runtime_command():
    assert haproxy.weight_commands([backend("web", server("blue", 2, 7), server("green", weight=0))]) == [
        "set server web/blue-2 weight 7",
        "set server web/blue-2.last weight 7",
        "set server web/green-1 weight 0",
        "set server web/green-1.last weight 0",
    ]


@pytest.mark.parametrize(
    ("percents", "counts", "expected"),
    [
        ({"blue": 90, "green": 10}, {"blue": 1, "green": 1}, {"blue": 90, "green": 10}),
        ({"blue": 0, "green": 100}, {"blue": 2, "green": 2}, {"blue": 0, "green": 50}),
        ({"blue": 100, "green": 0}, {"blue": 1}, {"blue": MAX_WEIGHT}),
        ({"blue": 0, "green": 100}, {"blue": 1}, {"blue": 0}),
        ({"blue": 0, "green": 0}, {"blue": 1, "green": 1}, {"blue": 0, "green": 0}),
        ({"blue": 50, "green": 50}, {"blue": 1, "green": 4}, {"blue": 256, "green": 64}),
        ({"blue": 81, "green": 19}, {"blue": 1, "green": 18}, {"blue": 230, "green": 3}),
        ({"blue": 100, "green": 0}, {}, {}),
    ],
)
def test_slots_get_weights_by_their_share(percents, counts, expected):
    assert haproxy.weights(percents, counts) == expected


@given(st.integers(0, 100), st.integers(1, 20))
def test_slots_of_equal_size_share_as_said(percent, count):
    found = haproxy.weights({"blue": 100 - percent, "green": percent}, {"blue": count, "green": count})

    assert abs(100 * found["green"] / sum(found.values()) - percent) < 1
    assert all(0 <= weight <= MAX_WEIGHT for weight in found.values())


@given(st.integers(1, 99), st.integers(1, 20), st.integers(1, 20))
def test_a_slot_gets_requests_exactly_when_it_shall(percent, blue, green):
    found = haproxy.weights({"blue": 100 - percent, "green": percent}, {"blue": blue, "green": green})

    assert min(found.values()) > 0
    assert haproxy.weights({"blue": 100, "green": 0}, {"blue": blue, "green": green})["green"] == 0


@given(st.integers(0, 100), st.integers(1, 5))
def test_the_share_is_read_back_as_it_was_given(percent, count):
    weights = haproxy.weights({"blue": 100 - percent, "green": percent}, {"blue": count, "green": count})
    servers = [
        server(colour, number, weights[colour]) for colour in haproxy_values.COLOURS for number in range(1, count + 1)
    ]

    found = haproxy.percents(haproxy.weights_in(haproxy.configuration([backend("web", *servers)])))

    assert found == {"blue": 100 - percent, "green": percent}


def test_the_share_comes_from_a_service_that_both_slots_have():
    found = haproxy.percents({("api", "green-1"): 256, ("web", "blue-1"): 90, ("web", "green-1"): 10})

    assert found == {"blue": 90, "green": 10}


def test_without_a_server_no_slot_has_a_share():
    assert haproxy.percents({}) == {"blue": 0, "green": 0}


def test_the_other_slot_steps_in_only_when_an_instance_is_left_of_neither():
    alone = backend("web", server("blue"))
    both = backend("web", server("blue"), server("green", weight=0))

    text = haproxy.configuration([both.model_copy(update={"spare": "blue"})])

    tracking = f"track web/blue-1 backup{RESOLVED}"
    servers = [line for line in section(text, "backend web") if line.startswith("  server")]
    assert servers[2] == f"  server blue-1.spare shop-blue-1:8000 {tracking}"
    assert [line.split()[1] for line in servers[3:]] == ["blue-1.last", "green-1.last"]
    assert haproxy.weights_in(text) == haproxy.weights_in(haproxy.configuration([both]))
    assert ".spare" not in haproxy.configuration([alone.model_copy(update={"spare": "blue"})])


def test_a_probe_is_answered_by_the_chosen_instance_or_by_nobody():
    probes = section(haproxy.configuration([backend()]), r"backend web\.probes")

    assert "  option persist" in probes
    assert "  no option redispatch" in probes
    assert "  retries 0" in probes
    assert "  use-server blue-1 if { req.hdr(x-headway-instance) -m str blue-1 }" in probes


@pytest.mark.parametrize("sign", list(" \t\n\"'\\#{}$`|;"))
def test_a_path_with_a_sign_that_means_something_to_the_router_is_refused(sign):
    with pytest.raises(ValueError, match="pattern"):
        Service(health=f"/a{sign}b")


def test_a_slot_can_be_asked_alone_by_its_own_routes():
    both = (server("blue"), server("green", weight=0))
    routed = [
        backend("web", *both).model_copy(update={"previews": {"blue": ("/",), "green": ("/",)}}),
        backend("api", *both).model_copy(update={"previews": {"green": ("/api",)}}),
    ]

    text = haproxy.configuration(routed)

    assert section(text, "frontend preview-blue")[0] == "  bind :8081"
    assert section(text, "frontend preview-blue")[-1] == "  use_backend web.preview-blue"
    assert section(text, "frontend preview-green")[-2:] == [
        "  use_backend api.preview-green if { path /api } or { path_beg /api/ }",
        "  use_backend web.preview-green",
    ]
    assert section(text, r"backend api\.preview-green")[-1] == (
        f"  server green-1 shop-green-1:8000 track api/green-1{RESOLVED}"
    )
    assert not any("blue-1" in line for line in section(text, r"backend api\.preview-green"))
    assert haproxy.weights_in(text)["api", "green-1"] == 0


def test_a_health_check_has_the_limits_and_the_host_that_were_asked_for():
    health = Health(path="/up", host="shop.org", timeout_seconds=2, interval_seconds=4, failures=5)
    patient = backend().model_copy(update={"health": health})

    lines = section(haproxy.configuration([patient]), "backend web")

    assert "  http-check send meth GET uri /up hdr Host shop.org" in lines
    assert "  timeout check 2000ms" in lines
    assert any("inter 4000ms fastinter 2000ms downinter 4000ms fall 5 rise 1" in line for line in lines)


def test_what_users_say_of_their_way_in_is_dropped_unless_a_trusted_proxy_says_it():
    untrusted = section(haproxy.configuration([backend()]), "frontend public")
    behind = Entry(port=80, trusted_proxies=("10.0.0.0/8", "fd00::/8"))
    trusted = section(haproxy.configuration([backend()], "", behind), "frontend public")

    assert "  http-request del-header x-forwarded- -m beg" in untrusted
    assert "  http-request del-header x-forwarded- -m beg unless { src 10.0.0.0/8 fd00::/8 }" in trusted
    assert "  http-request add-header X-Forwarded-For %[src]" in untrusted
    assert "  http-request add-header X-Forwarded-For %[src]" in trusted


def test_a_name_is_asked_before_no_name_and_an_exact_one_before_a_star():
    routed = [
        backend("rest", prefixes=("/", "/api/v2")),
        backend("star", prefixes=("*.shop.org/",)),
        backend("shop", prefixes=("shop.org/", "shop.org/api")),
    ]

    lines = section(haproxy.configuration(routed), "frontend public")

    assert [line for line in lines if "_backend" in line] == [
        "  use_backend shop if { var(txn.host) -m str shop.org } { path /api }"
        " or { var(txn.host) -m str shop.org } { path_beg /api/ }",
        "  use_backend shop if { var(txn.host) -m str shop.org }",
        "  use_backend star if { var(txn.host) -m reg ^[^.]+[.]shop[.]org$ }",
        "  use_backend rest if { path /api/v2 } or { path_beg /api/v2/ }",
        "  use_backend rest",
        "  default_backend .unknown",
    ]


def test_with_certificates_plain_http_is_sent_on_and_what_runs_beside_the_router_is_not():
    entry = Entry(port=8000, https_port=8443, certificates=("/a.pem", "/b.pem"))

    lines = section(haproxy.configuration([backend()], "", entry), "frontend public")

    assert "  bind :8443 ssl crt /a.pem crt /b.pem alpn h2,http/1.1 ssl-min-ver TLSv1.2" in lines
    [sent_on] = [line for line in lines if "redirect" in line]
    assert sent_on.endswith("code 308 if { dst_port 8080 } { req.hdr(x-forwarded-proto) -m str http }")
    assert not any("redirect" in line for line in section(haproxy.configuration([backend()]), "frontend public"))


def test_the_file_remembers_how_users_come_in():
    entry = Entry(port=80, https_port=443, certificates=("/a.pem",), trusted_proxies=("10.0.0.0/8",))

    assert haproxy.entry_in(haproxy.configuration([backend()], "0123456789ab", entry)) == entry
    assert haproxy.entry_in("global\n") == Entry()


def test_probes_have_a_way_of_their_own():
    text = haproxy.configuration([backend("web", server("blue"), server("green", weight=0))])

    assert section(text, r"backend web\.probes")[-2:] == [
        f"  server blue-1 shop-blue-1:8000 track web/blue-1{RESOLVED}",
        f"  server green-1 shop-green-1:8000 track web/green-1{RESOLVED}",
    ]

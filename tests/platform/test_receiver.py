"""The receiver over real connections: what is genuine is on the disk before it is answered, and nothing else is."""

import json
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from delivery.errors import Transient
from delivery.home import Home
from delivery.hooks.bounds import MOST_BYTES
from delivery.hooks.connections import Connections, Listening
from delivery.platform.receiver import Refusals
from tests.support.receivers import Running, connect_all, running_receiver
from tests.support.senders import Sns, alarm, other_key, pull_request, push, pushed_image, signed

SNS = Sns()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    connect_all(home)
    return home


@pytest.fixture
def receiver(home: Home) -> Iterator[Running]:
    with running_receiver(home, lambda _: SNS.certificate) as running:
        yield running


def test_a_push_that_github_signed_is_on_the_disk_when_it_is_answered(receiver):
    answer = receiver.post("github/shop", *signed(receiver.secret, push(), delivery="one"))

    assert (answer.status_code, answer.json()) == (202, {"kept": 1, "known": False})
    assert receiver.kept == ["push one"]
    assert receiver.told == [None]


def test_what_nothing_follows_from_is_answered_and_not_kept(receiver):
    answer = receiver.post("github/shop", *signed(receiver.secret, {"zen": "Speak like a human."}, "ping"))

    assert (answer.status_code, answer.json()) == (200, {"kept": 0, "known": False})
    assert (receiver.kept, receiver.told) == ([], [])


@pytest.mark.parametrize("path", ["github/shop", "github/other", "github/images", "aws/shop", "registry/shop"])
def test_who_does_not_know_the_secret_of_the_connection_is_refused(receiver, path):
    body, headers = signed("guessed", push())

    answer = receiver.post(path, body, headers | {"authorization": "Bearer guessed"})

    assert answer.status_code == 401
    assert receiver.kept == []


@pytest.mark.parametrize("name", ["..%2F..%2Fkeys%2Fserver", ".", "%00", "a" * 3000, "ü", "shop%0A"])
def test_a_name_that_is_none_opens_no_file(receiver, name):
    answer = receiver.post(f"github/{name}", *signed("guessed", push()))

    assert answer.status_code in (401, 404)
    assert receiver.kept == []


def test_a_delivery_that_is_sent_again_counts_once(receiver):
    body, headers = signed(receiver.secret, push(), delivery="one")

    answers = [receiver.post("github/shop", body, headers) for _ in range(2)]

    assert [(one.status_code, one.json()["known"]) for one in answers] == [(202, False), (200, True)]
    assert receiver.kept == ["push one"]


def test_a_body_that_was_listened_to_counts_once_under_whichever_delivery_it_is_sent(receiver):
    body, headers = signed(receiver.secret, push(), delivery="one")
    receiver.post("github/shop", body, headers)

    answer = receiver.post("github/shop", body, headers | {"x-github-delivery": "two"})

    assert (answer.status_code, answer.json()["known"]) == (200, True)
    assert receiver.kept == ["push one"]


@pytest.mark.parametrize(
    ("body", "changed", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"\xff\xfe", {}, 400),
        (json.dumps(push(ref="refs/pull/1/head")).encode(), {}, 400),
        (json.dumps(push(repository={"full_name": "eve/shop"})).encode(), {}, 400),
        (json.dumps(push()).encode(), {"content-type": "application/x-www-form-urlencoded"}, 415),
        (json.dumps(push()).encode(), {"x-github-delivery": ""}, 400),
    ],
    ids=["no JSON", "no object", "no text", "no branch", "another repository", "a form", "no delivery"],
)
def test_what_github_would_not_send_is_refused(receiver, body, changed, status):
    body, headers = signed(receiver.secret, body)

    answer = receiver.post("github/shop", body, headers | changed)

    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert receiver.kept == []


def test_a_body_that_is_said_to_be_too_long_is_not_read(receiver):
    length = MOST_BYTES["registry"] + 1
    head = "POST /registry/images HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"

    with receiver.raw(f"{head}content-length: {length}\r\n\r\n".encode()) as connection:
        answer = connection.recv(100)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_say_how_long_it_is_is_read_up_to_its_limit(receiver):
    head = "POST /registry/images HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    with receiver.raw(f"{head}transfer-encoding: chunked\r\n\r\n".encode()) as connection:
        answer = _sent_until_answered(connection, b"10000\r\n" + b" " * 65536 + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert receiver.post("github/shop", *signed(receiver.secret, push())).status_code == 202


def _sent_until_answered(connection, chunk):
    """Send the chunk again and again, and return the answer that comes meanwhile."""
    for _ in range(MOST_BYTES["registry"] // 65536 + 1):
        connection.sendall(chunk)
    return connection.recv(100)


def test_who_sends_slowly_is_ended_and_keeps_nobody_waiting(home):
    head = b"POST /github/shop HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n"
    with running_receiver(home, lambda _: b"", seconds=0.5) as receiver:
        in_headers = [receiver.raw(b"POST /github/shop HTTP/1.1\r\nx-a: ") for _ in range(40)]
        in_bodies = [receiver.raw(head, b"{") for _ in range(40)]

        meanwhile = receiver.post("github/shop", *signed(receiver.secret, push()))
        ended = [one.recv(100)[:12] for one in in_bodies]
        cut = [_rest(one) for one in in_headers]
        for one in (*in_headers, *in_bodies):
            one.close()

    assert meanwhile.status_code == 202
    assert ended == [b"HTTP/1.1 408"] * 40
    assert cut == [b""] * 40


def _rest(connection):
    try:
        return connection.recv(100)
    except ConnectionResetError:
        return b""


def test_no_more_is_held_of_bodies_than_there_is_room_for(home):
    with running_receiver(home, lambda _: b"", held_bytes=1000) as receiver:
        answer = receiver.post("github/shop", *signed(receiver.secret, push(more="x" * 2000)))
        after = receiver.post("github/shop", *signed(receiver.secret, push()))

    assert (answer.status_code, after.status_code) == (503, 202)


def test_what_cannot_be_written_is_not_taken_and_the_next_is(receiver, monkeypatch):
    def full(_):
        raise sqlite3.OperationalError("database or disk is full")

    body, headers = signed(receiver.secret, push(), delivery="one")
    with monkeypatch.context() as patch:
        patch.setattr(receiver.spool, "keep", full)
        refused = receiver.post("github/shop", body, headers)
    again = receiver.post("github/shop", body, headers)

    assert (refused.status_code, refused.json()) == (503, {"error": "it cannot be kept just now"})
    assert (again.status_code, receiver.kept) == (202, ["push one"])


def test_a_secret_that_was_renewed_counts_at_once(receiver):
    old = receiver.secret
    Connections(receiver.home).renew("shop")

    answers = [receiver.post("github/shop", *signed(one, push(n=one))) for one in (old, receiver.secret)]

    assert [answer.status_code for answer in answers] == [401, 202]


def test_who_is_disconnected_is_refused_at_once(receiver):
    secret = receiver.secret
    Connections(receiver.home).remove("shop")

    assert receiver.post("github/shop", *signed(secret, push())).status_code == 401


def sent_by_sns(receiver, content):
    body = json.dumps(content).encode()
    return receiver.post("aws/alarms", body, {"content-type": "text/plain; charset=UTF-8"})


@pytest.mark.parametrize("version", ["1", "2"])
def test_an_alarm_that_sns_signed_is_kept_once(receiver, version):
    content = Sns(version).notification(alarm())

    answers = [sent_by_sns(receiver, content) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 200]
    assert receiver.kept == [f"alarm {content['MessageId']}"]


def test_what_sns_did_not_sign_is_refused_and_asks_for_nothing_elsewhere(receiver):
    forged = Sns(key=other_key()).notification(alarm())
    elsewhere = SNS.notification(alarm()) | {"SigningCertURL": "https://evil.example/SimpleNotificationService-0.pem"}

    answers = [sent_by_sns(receiver, content) for content in (forged, elsewhere)]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert receiver.fetched == [forged["SigningCertURL"]]
    assert receiver.kept == []


def test_an_alarm_that_is_none_of_the_environments_is_not_kept(receiver):
    assert sent_by_sns(receiver, SNS.notification(alarm(name="other-5xx"))).status_code == 200
    assert receiver.kept == []


def test_a_subscription_is_confirmed_and_one_that_nobody_of_sns_signed_is_not(receiver):
    genuine, forged = SNS.subscription(), Sns(key=other_key()).subscription()

    answers = [sent_by_sns(receiver, content) for content in (forged, genuine)]

    assert [answer.status_code for answer in answers] == [401, 200]
    confirmed = [url for url in receiver.fetched if "ConfirmSubscription" in url]
    assert confirmed == [genuine["SubscribeURL"]]


def test_while_sns_cannot_be_asked_a_message_is_left_to_be_sent_again(home):
    troubles = [Transient("no route")]

    def fetch(_):
        if troubles:
            raise troubles.pop()
        return SNS.certificate

    content = SNS.notification(alarm())
    with running_receiver(home, fetch) as receiver:
        answers = [sent_by_sns(receiver, content).status_code for _ in range(2)]

    assert answers == [503, 202]


def test_a_registry_that_knows_the_secret_tells_of_images_each_once(receiver):
    secret = Connections(receiver.home).secret("images").get_secret_value()
    body = json.dumps(pushed_image("event-1")).encode()
    headers = {
        "content-type": "application/vnd.docker.distribution.events.v2+json",
        "authorization": f"Bearer {secret}",
    }

    answers = [receiver.post("registry/images", body, headers).status_code for _ in range(2)]
    without = receiver.post("registry/images", body, headers | {"authorization": f"Bearer {secret[:-1]}"})

    assert (answers, without.status_code) == ([202, 200], 401)
    assert receiver.kept == ["image event-1"]


def test_a_pull_request_keeps_whose_it_is(receiver):
    receiver.post("github/shop", *signed(receiver.secret, pull_request("eve/shop"), "pull_request"))

    (kept,) = receiver.spool.due(1, 1e12)
    assert (kept.arrival.pull_request, kept.arrival.fork, kept.arrival.project) == (
        7,
        True,
        "https://git.example/acme/shop.git",
    )


def test_its_secrets_and_its_spool_are_its_owners_alone(receiver):
    receiver.post("github/shop", *signed(receiver.secret, push()))

    folders = [receiver.home.root, receiver.home.root / "keys" / "hooks", receiver.home.root / "hooks"]
    files = [receiver.home.root / "keys" / "hooks" / "shop"]
    assert [oct(path.stat().st_mode & 0o077) for path in (*folders[1:], *files)] == ["0o0"] * 3


def test_what_is_refused_is_told_once_a_minute_however_often_it_is_sent():
    at, said = [0.0], []
    refusals = Refusals(lambda: at[0], said.append)

    for _ in range(1000):
        refusals.tell("forged")
    at[0] = 61
    refusals.tell("forged")
    for number in range(1000):
        refusals.tell(f"another {number}")

    assert said[:2] == ["refused: forged", "refused: forged"]
    assert len(said) == 21


def test_nobody_but_this_machine_reaches_it_and_no_page_of_another_origin_is_answered(receiver):
    others = {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    origin = {"origin": "https://evil.example", "access-control-request-method": "POST"}

    preflight = httpx.options(f"http://127.0.0.1:{receiver.port}/github/shop", headers=origin, trust_env=False)
    posted = receiver.post("github/shop", b"{}", {"content-type": "text/plain", "origin": "https://evil.example"})

    assert Listening().host == "127.0.0.1"
    for address in others:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, receiver.port), timeout=5).close()
    assert (preflight.status_code, posted.status_code) == (405, 415)
    assert not [name for answer in (preflight, posted) for name in answer.headers if name.startswith("access-control")]

"""When traffic was where, from what the router says of its weights."""

import pytest

from bench.weights import Weights, parse_state

STATE = """\
1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change
4 web 1 blue-1 10.0.0.2 2 0 45 256 12
4 web 2 blue-2 10.0.0.3 2 0 45 256 12
4 web 3 green-1 10.0.0.4 2 0 5 0 3
4 web 4 green-2 10.0.0.5 2 0 5 0 3

"""


def weights(*shares: float) -> Weights:
    """One look a second, at a green slot of one instance with these percents."""
    return Weights([(float(at), {"blue-1": 100 - int(p), "green-1": int(p)}) for at, p in enumerate(shares)])


def test_the_router_tells_the_weight_of_every_server() -> None:
    assert parse_state(STATE.splitlines()) == {"blue-1": 45, "blue-2": 45, "green-1": 5, "green-2": 5}


@pytest.mark.parametrize("answer", ["", "Can't find backend.\n"], ids=["nothing", "no backend"])
def test_an_answer_without_servers_tells_no_weight(answer: str) -> None:
    assert parse_state(answer.splitlines()) == {}


def test_a_server_that_only_steps_in_has_no_share() -> None:
    spare = "4 web 5 blue-1.spare 10.0.0.2 2 0 1 1 3"
    last = "4 web 6 green-1.last 10.0.0.4 2 0 5 0 3"
    assert parse_state([*STATE.splitlines(), spare, last]) == parse_state(STATE.splitlines())


def test_a_slot_has_the_share_of_all_its_instances() -> None:
    assert Weights([(0.0, parse_state(STATE.splitlines()))]).share("green") == 10


def test_a_slot_that_does_not_stand_has_no_share() -> None:
    assert Weights([(0.0, {"blue-1": 256})]).share("green") == 0
    assert Weights().share("green") == 0


def test_it_is_told_when_a_share_was_reached_first() -> None:
    assert weights(0, 10, 50, 50).since("green", 50) == 2
    assert weights(0, 10).since("green", 50) is None


def test_traffic_is_gone_when_it_does_not_come_back() -> None:
    assert weights(0, 10, 0, 50, 0, 0).gone_at("green") == 4


def test_traffic_that_is_still_there_is_not_gone() -> None:
    assert weights(0, 10, 0, 50).gone_at("green") is None


def test_traffic_that_never_came_did_not_go() -> None:
    assert weights(0, 0, 0).gone_at("green") is None


def test_traffic_is_gone_from_a_slot_that_was_removed() -> None:
    assert Weights([(0.0, {"blue-1": 1, "green-1": 1}), (1.0, {"blue-1": 1})]).gone_at("green") == 1

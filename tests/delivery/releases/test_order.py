"""Which environments a release passes on its way."""

import pytest

from delivery.errors import Misconfigured
from delivery.releases.order import Built, Order
from delivery.releases.release import BuiltImage, ImageRef
from delivery.spec.app import environment_of, passed_before
from tests.delivery.values import make_app, make_revision

APP = make_app(environments={"live": {"after": "staging"}, "test": {}, "staging": {"after": "test"}, "demo": {}})


@pytest.mark.parametrize(
    ("environment", "stops"),
    [("live", ("test", "staging")), ("staging", ("test",)), ("test", ()), ("demo", ())],
)
def test_a_release_passes_the_environments_before_in_order(environment: str, stops: tuple[str, ...]) -> None:
    assert passed_before(APP, environment) == stops


def test_an_unknown_environment_is_told_with_the_known_ones() -> None:
    with pytest.raises(Misconfigured, match=r"environments\.prod: there is none; allowed: live, test, staging, demo"):
        environment_of(APP, "prod")


def test_an_order_knows_its_way() -> None:
    fields = {"run": "r1", "repository": "/r", "folder": ".", "revision": make_revision()}
    order = Order(**fields, app=APP, environment="live")  # type: ignore[arg-type]
    assert (order.stops, order.policy) == (("test", "staging"), APP.environments["live"])


def test_images_and_suites_are_found_by_name() -> None:
    def image(name: str) -> BuiltImage:
        return BuiltImage(name=name, ref=ImageRef(repository=f"r/{name}", digest=f"sha256:{1:064x}"), builder="b")

    built = Built(images=(image("web"),), suites=(image("suite-unit"),))
    assert built.refs() == {
        name: ImageRef(repository=f"r/{name}", digest=f"sha256:{1:064x}") for name in ("web", "suite-unit")
    }


def test_flows_that_take_an_order_do_not_describe_all_of_an_application() -> None:
    assert Order.model_json_schema() == {"title": "Order", "type": "object"}

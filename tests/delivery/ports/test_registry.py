"""What is pulled for an image of a release, wherever its registry is."""

from delivery.ports.registry import Registry
from tests.delivery.values import make_release

WEB = make_release(1).images["web"]


def test_an_image_is_looked_for_in_the_registry_of_its_environment() -> None:
    elsewhere = Registry.at("123.dkr.ecr.example.com/our")

    assert elsewhere.repository("shop/web") == "123.dkr.ecr.example.com/our/shop/web"
    assert elsewhere.reference(WEB) == f"123.dkr.ecr.example.com/our/shop/web@{WEB.digest}"


def test_a_registry_that_moved_is_asked_where_it_is_now() -> None:
    places = iter(["127.0.0.1:5000", "127.0.0.1:5001"])
    registry = Registry(lambda: next(places))

    assert [registry.reference(WEB).partition("/")[0] for _ in range(2)] == ["127.0.0.1:5000", "127.0.0.1:5001"]

"""One more kind of target in headway.yaml for a while, as if its class stood in the union of delivery/spec."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Union

from delivery.model import Model
from delivery.releases.order import Order
from delivery.spec.app import App
from delivery.spec.environments import Environment
from delivery.spec.keys import Keys


@contextmanager
def target_kind(config: type[Model]) -> Iterator[None]:
    """Let headway.yaml, and all that holds what stands in it, take targets of the class `config`."""
    field = Environment.model_fields["target"]
    shipped = field.annotation
    field.annotation = Union[shipped, config]  # noqa: UP007 - of what is only known now
    try:
        _read_anew()
        yield
    finally:
        field.annotation = shipped
        _read_anew()


def _read_anew() -> None:
    for model in (Environment, Keys, App, Order):  # each holds the one before it
        model.model_rebuild(force=True)

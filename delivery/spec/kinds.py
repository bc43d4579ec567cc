"""Keys whose other keys depend on `kind`: a class for each kind, in a union that the kind tells apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class ByKind:
    """What a union of such classes is annotated with; `left_out` is the kind of what says none.

    Pydantic's own `discriminator` takes no union of one class, and no default.
    """

    left_out: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return a schema that chooses the class by `kind`, and tells of an unknown one which there are."""
        choices = {kind: handler.generate_schema(model) for kind, model in classes_of(source).items()}
        union = core_schema.tagged_union_schema(choices, discriminator="kind", from_attributes=True)
        return core_schema.no_info_before_validator_function(self._with_kind, union)

    def _with_kind(self, value: object) -> object:
        return {"kind": self.left_out, **value} if isinstance(value, Mapping) and "kind" not in value else value


def classes_of(union: Any) -> dict[str, type[BaseModel]]:
    """Return kind → class of what is one class, or several, with or without an annotation."""
    if isinstance(union, type) and issubclass(union, BaseModel):
        return {str(get_args(union.model_fields["kind"].annotation)[0]): union}
    return {kind: model for part in get_args(union) for kind, model in classes_of(part).items()}

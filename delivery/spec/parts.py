"""What the parts of an application that run may have in common: files with variables, secrets, limits."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

MEMORY_PATTERN = r"^[1-9][0-9]{0,14}[bkmgBKMG]?$"
LEAST_MEMORY_BYTES = 6 * 1024**2  # the engine takes no less
_UNITS = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def memory_bytes(text: str) -> int:
    """Return how many bytes `512m` are, in the engine's units: b, k, m, g, each 1024 of the one before."""
    number = text.rstrip("bkmgBKMG")
    return int(number) * _UNITS[text[len(number) :].lower() or "b"]


def _enough(text: str) -> str:
    if memory_bytes(text) < LEAST_MEMORY_BYTES:
        raise ValueError(f"found {text}; allowed: at least 6m, and a unit of b, k, m, g")
    return text


def _listed(value: object) -> object:
    """Return a list of variables as what it stands for: each with no block of its own."""
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value)
    return value


Files = Annotated[
    Annotated[str, Tag("file")] | Annotated[tuple[str, ...], Field(min_length=1), Tag("files")],
    Discriminator(lambda value: "files" if isinstance(value, list | tuple) else "file"),
]
Cpus = Annotated[float, Field(gt=0, le=1024)]
Pids = Annotated[int, Field(ge=1)]
Memory = Annotated[str, Field(pattern=MEMORY_PATTERN), AfterValidator(_enough)]
_BLOCKS = {"type": "object", "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "null"}]}}
Secrets = Annotated[
    dict[str, str | None],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [_BLOCKS, {"type": "array", "items": {"type": "string"}}]}),
]


def files_of(given: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the files, in the order in which later ones win."""
    return (given,) if isinstance(given, str) else given or ()

"""Values of YAML, JSON and TOML in the shape that is wanted, whatever shape they have."""

from typing import Any


def items(value: Any) -> list[Any]:
    """Return a list as it is, nothing as an empty one, and anything else as the only item."""
    return value if isinstance(value, list) else [] if value is None else [value]


def table(value: Any) -> dict[str, Any]:
    """Return a mapping as it is, and anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def word(value: Any) -> str:
    """Return a text as it is, true and false as YAML writes them, and anything else as an empty text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else ""


def inner(content: object, *keys: str) -> Any:
    """Return what stands below `keys`, or none on any other shape."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content

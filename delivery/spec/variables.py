"""Environment variables of the application: what Headway adds, and the placeholders it fills in."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from delivery.errors import Misconfigured

_PLACEHOLDER = re.compile(r"\$\{([a-z_]+(?:\.[a-z_]+)*)\}")


# What `${…}` stands for when the application has a database.
DATABASE_FACTS = tuple(f"database.{fact}" for fact in ("url", "host", "port", "name", "user", "password"))


# In the variables of an environment that has one: `${infrastructure.OUTPUT.KEY}` is what its stack says of itself.
INFRASTRUCTURE = "infrastructure."


def output_facts(outputs: Mapping[str, Any]) -> dict[str, str]:
    """Return what the outputs of a stack stand for in variables: text and numbers, by the keys that lead to them."""
    found: dict[str, str] = {}

    def add(key: str, value: object) -> None:
        if isinstance(value, Mapping):
            for name, one in value.items():
                add(f"{key}.{name}", one)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            found[key] = str(value)

    for name, value in outputs.items():
        add(f"{INFRASTRUCTURE}{name}", value)
    return found


def placeholders(text: str) -> list[str]:
    """Return the names that `text` wants filled in."""
    return _PLACEHOLDER.findall(text)


def fill(where: str, env: Mapping[str, str], facts: Mapping[str, str | SecretStr]) -> dict[str, str]:
    """Return `env` with every `${name}` replaced from `facts`.

    The result may hold secrets: hand it to the engine and nowhere else. Raises Misconfigured, naming
    `where`.variable, for a placeholder that is not in `facts`.
    """

    def value_of(variable: str, name: str) -> str:
        if name not in facts:
            allowed = ", ".join(f"${{{key}}}" for key in sorted(facts))
            raise Misconfigured(f"{where}.{variable}", f"${{{name}}}", allowed)
        fact = facts[name]
        return fact.get_secret_value() if isinstance(fact, SecretStr) else fact

    filled: dict[str, str] = {}
    for variable, text in env.items():
        parts = _PLACEHOLDER.split(text)  # text, name, text, name, …
        filled[variable] = "".join(value_of(variable, part) if i % 2 else part for i, part in enumerate(parts))
    return filled

"""Environment variables of the application: what Headway adds, and the placeholders it fills in."""

import re
from collections.abc import Mapping

from pydantic import SecretStr

from delivery.errors import Misconfigured

_PLACEHOLDER = re.compile(r"\$\{([a-z_]+(?:\.[a-z_]+)*)\}")


# What `${…}` stands for when the application has a database.
DATABASE_FACTS = tuple(f"database.{fact}" for fact in ("url", "host", "port", "name", "user", "password"))


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

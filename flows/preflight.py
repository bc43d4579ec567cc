"""What an environment needs, as seen from outside: looked at, and nothing changed."""

from tasks.preflight import preflight

__all__ = ["preflight"]

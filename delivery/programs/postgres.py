"""PostgreSQL's programs: what they are called with, and what they print."""


def ready_argv(user: str, name: str) -> list[str]:
    """Return the command that succeeds when the server in the same container accepts connections over TCP."""
    return ["pg_isready", "-q", "-h", "127.0.0.1", "-U", user, "-d", name]

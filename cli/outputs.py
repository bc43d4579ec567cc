"""What each command prints with `--json`, as a type: its JSON Schema is made from that, and tests hold output to it."""

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from delivery.errors import Misconfigured


def _check() -> Any:
    from delivery.ports.preflight import Finding
    from delivery.spec.app import App

    return App | list[Finding]


def _of_a_run() -> Any:
    from cli.ending import RunEnded, RunLost

    return RunEnded | RunLost


def _in(module: str, name: str, *, many: bool = False) -> Callable[[], Any]:
    """Return what finds a class in a module: it is imported when somebody asks, for some take seconds."""

    def find() -> Any:
        from importlib import import_module

        found = getattr(import_module(module), name)
        return list[found] if many else found  # type: ignore[valid-type]

    return find


OUTPUTS: dict[str, Callable[[], Any]] = {
    "approve": _in("cli.shown", "Answered"),
    "backup": _in("cli.shown", "BackupTaken"),
    "backups": _in("cli.shown", "BackupsKept"),
    "bad": _in("flows.marks", "Marked"),
    "bootstrap": lambda: dict[str, Any],
    "check": _check,
    "database list": _in("cli.shown", "Databases"),
    "database migrations": _in("delivery.migrations.told", "MigrationsTold"),
    "destroy": _in("cli.shown", "Destroyed"),
    "diff": _in("delivery.releases.difference", "ReleaseDifference"),
    "doctor": _in("cli.doctor", "Finding", many=True),
    "explain": _in("delivery.report.explanation", "Explanation"),
    "figures": _in("cli.shown", "FiguresShown", many=True),
    "follow": _of_a_run,
    "freeze": _in("flows.marks", "Frozen"),
    "history": _in("delivery.changes.past", "PastChange", many=True),
    "hooks connect": _in("cli.shown", "ConnectionMade"),
    "hooks list": _in("cli.shown", "ConnectionsKept"),
    "init": _in("cli.shown", "FirstFile"),
    "junit": lambda: list[str],
    "log": _in("flows.telling", "RunLog"),
    "plan": _in("cli.shown", "Plan"),
    "refresh": _in("cli.shown", "RefreshDone"),
    "reject": _in("cli.shown", "Answered"),
    "remove": _in("cli.shown", "Removed"),
    "restore": _in("cli.shown", "RestoreDone"),
    "rollback": _of_a_run,
    "run": _of_a_run,
    "secret list": _in("tasks.secret_blocks", "SecretView", many=True),
    "status": _in("flows.standing", "Standing"),
    "thaw": _in("flows.marks", "Frozen"),
    "ui": _in("cli.shown", "UiLink"),
    "up": _in("cli.shown", "PlatformUp"),
}


def output_schema(verb: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what a command prints; Misconfigured for one that prints no data."""
    if verb not in OUTPUTS:
        raise Misconfigured(f"--output {verb}", "prints no data", ", ".join(OUTPUTS))
    schema = TypeAdapter(OUTPUTS[verb]()).json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": f"headway {verb} --json"}

"""One way to ask git: what a hook left in the environment, and what a user has set, changes no answer."""

import ast
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from delivery.errors import Misconfigured
from delivery.programs.run import run

TIMEOUT_SECONDS = 60
LEAST_VERSION = (2, 31)  # settings by GIT_CONFIG_COUNT

# How other machines are reached, where git is installed and which files hold a user's settings. All else that begins
# with GIT_ points at a repository (a hook's, say) or changes what git does.
KEPT = re.compile(
    r"GIT_(SSH(_COMMAND|_VARIANT)?|ASKPASS|SSL_\w+|HTTP_\w+|PROXY_\w+|ALLOW_PROTOCOL|EXEC_PATH"
    r"|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)|DISCOVERY_ACROSS_FILESYSTEM)"
)
ALWAYS = {
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",  # a hash stands for its own content
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.quotePath": "true",  # names that are not ASCII come quoted: no byte of them is lost
    "core.splitIndex": "false",
    "diff.ignoreSubmodules": "none",
    "i18n.logOutputEncoding": "UTF-8",
    "submodule.recurse": "false",
}


def ask_git(
    folder: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> str:
    """Return what `git` prints in `folder`; CommandFailed when it says no, Misconfigured when it is too old."""
    check_version()
    return run(
        ["git", "-C", str(folder), *arguments],
        timeout_seconds=timeout_seconds,
        env={**environment({**SETTINGS, **(settings or {})}), **(env or {})},
        stdin=stdin,
    ).stdout


def environment(settings: Mapping[str, str]) -> dict[str, str | None]:
    """Return what to change in this process's environment for git; none: the variable goes."""
    dropped = {name for name in os.environ if name.startswith("GIT_") and not KEPT.fullmatch(name)}
    return {**dict.fromkeys(dropped), **ALWAYS, **dict(_numbered(settings))}


def version() -> tuple[int, ...]:
    """Return the version of the git on PATH; Rejected when there is none."""
    found = re.search(r"\d+(\.\d+)+", run(["git", "version"], timeout_seconds=TIMEOUT_SECONDS).stdout)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


@cache
def check_version() -> None:
    """Return when git is new enough; Misconfigured otherwise."""
    found = version()
    if found < LEAST_VERSION:
        shown, least = (".".join(map(str, parts)) for parts in (found, LEAST_VERSION))
        raise Misconfigured("git", f"is version {shown}", f"{least} or newer", "sudo apt-get install git")


def unquoted(name: str) -> str:
    """Return a name as git prints it as a path of this machine: quoted names hold escapes and octal bytes."""
    return os.fsdecode(ast.literal_eval(f"b{name}")) if name.startswith('"') else name


def _numbered(settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield "GIT_CONFIG_COUNT", str(len(settings))
    for number, (key, value) in enumerate(settings.items()):
        yield f"GIT_CONFIG_KEY_{number}", key
        yield f"GIT_CONFIG_VALUE_{number}", value

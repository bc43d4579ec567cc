"""Terraform, a verb a function: every answer is read from a file or from JSON, and none ends by being killed.

Exit code 2 of a plan means that it would change something
(https://developer.hashicorp.com/terraform/cli/commands/plan#detailed-exitcode).
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from delivery.errors import CommandFailed, HeadwayError, Misconfigured, Rejected, Transient
from delivery.programs.run import Completed, run

PROGRAM = "terraform"
LEAST_VERSION = (1, 11)  # a lock in the bucket itself (use_lockfile) is final since then
INTERRUPT_SECONDS = 120.0  # to write the state down and let go of its lock
QUICK_SECONDS = 300.0
INIT_SECONDS = 900.0  # providers are downloaded
NOTHING_CHANGES, CHANGES = 0, 2
# They would change what is planned beside what stands in headway.yaml.
REFUSED = re.compile(r"^TF_(CLI_ARGS(_.+)?|WORKSPACE|VAR_.+)$")
_LOCK_LINE = re.compile(r"^\s*(ID|Path|Operation|Who|Created):\s*(.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Stack:
    """A folder with Terraform's files, and the workspace and the folder for what Terraform keeps beside its state."""

    folder: Path
    data: Path
    workspace: str
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_seconds: float = 3600

    def environment(self) -> dict[str, str | None]:
        """Return the variables that Terraform is started with; those of whoever started us that would speak too."""
        return {
            **self.variables,
            "TF_DATA_DIR": str(self.data),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "TF_LOG": None,  # it writes values down
            "TF_LOG_PATH": None,
            "CHECKPOINT_DISABLE": "1",
        }


class StateLocked(Transient):
    """Somebody holds the state; `lock` has what Terraform says of them: ID, Path, Operation, Who, Created."""

    def __init__(self, message: str, lock: Mapping[str, str]) -> None:
        super().__init__(message)
        self.lock = dict(lock)

    def __reduce__(self) -> tuple[type["StateLocked"], tuple[str, dict[str, str]]]:
        return type(self), (str(self), self.lock)


class StalePlan(Rejected):
    """The state was changed after the plan was made."""


def check_variables() -> None:
    """Return unless variables of this process would change what Terraform does; Misconfigured with their names."""
    found = sorted(name for name in os.environ if REFUSED.match(name))
    if found:
        raise Misconfigured(
            ", ".join(found),
            "set where Headway runs, so what is applied would not be what stands in headway.yaml",
            next_step=f"unset {' '.join(found)}; values of the stack stand under infrastructure.variables",
        )


def version() -> str:
    """Return Terraform's version; Misconfigured when there is none, or it is too old."""
    needed = ".".join(map(str, LEAST_VERSION))
    try:
        told = _version_of(shutil.which(PROGRAM) or PROGRAM)
    except Rejected as error:
        raise Misconfigured("terraform", str(error), f"Terraform {needed} or newer", f"install {PROGRAM}") from error
    if tuple(map(int, re.findall(r"\d+", told)[:2])) < LEAST_VERSION:
        raise Misconfigured("terraform", told, f"{needed} or newer", "install a newer one")
    return told


@cache
def _version_of(program: str) -> str:
    return str(json.loads(run([program, "version", "-json"], timeout_seconds=60).stdout)["terraform_version"])


def init(stack: Stack, backend: Mapping[str, str | bool | int]) -> None:
    """Make the folder ready: backend and providers; Misconfigured with file and line when its files are wrong."""
    given = [f"-backend-config={key}={_plain(value)}" for key, value in backend.items()]
    _told(stack, ["init", "-json", "-reconfigure", *given], timeout_seconds=INIT_SECONDS)


def backend_of(stack: Stack) -> tuple[str, dict[str, Any]]:
    """Return kind and settings of the backend that `init` set up; `local` where the stack names none."""
    try:
        kept = json.loads((stack.data / "terraform.tfstate").read_text())["backend"]
    except FileNotFoundError:
        return "local", {}
    return str(kept["type"]), dict(kept["config"])


def select(stack: Stack) -> None:
    """Make the stack's workspace the one that is spoken of; a new one is made."""
    _run(stack, ["workspace", "select", "-or-create", "-no-color", stack.workspace], timeout_seconds=QUICK_SECONDS)


def plan(stack: Stack, out: Path, *, values: Path, lock_seconds: int, destroy: bool = False) -> bool:
    """Write a plan to `out` and return whether it would change anything; `values` is a JSON file of variables."""
    argv = [
        "plan",
        "-json",
        "-detailed-exitcode",
        f"-out={out}",
        f"-var-file={values}",
        f"-lock-timeout={lock_seconds}s",
    ]
    done = _told(stack, [*argv, "-destroy"] if destroy else argv, accept=(NOTHING_CHANGES, CHANGES))
    for warning in _diagnostics(done, "warning"):
        if warning["summary"].startswith("Value for undeclared variable"):
            raise Misconfigured(
                "infrastructure.variables",
                warning["detail"].partition(" but ")[0],
                next_step="correct the name, or declare the variable in the stack",
            )
    return done.returncode == CHANGES


def show(stack: Stack, plan_file: Path) -> dict[str, Any]:
    """Return a plan as Terraform describes it: secrets are in it.

    https://developer.hashicorp.com/terraform/internals/json-format#plan-representation
    """
    done = _run(stack, ["show", "-json", str(plan_file)], timeout_seconds=QUICK_SECONDS)
    return dict(json.loads(done.stdout))


def apply(stack: Stack, plan_file: Path, *, lock_seconds: int) -> None:
    """Do what a plan says; StalePlan when the state is another one by now, StateLocked while somebody holds it."""
    _told(stack, ["apply", "-json", f"-lock-timeout={lock_seconds}s", str(plan_file)])


def outputs(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return name → value, type and whether it is sensitive."""
    done = _run(stack, ["output", "-json"], timeout_seconds=QUICK_SECONDS)
    return dict(json.loads(done.stdout))


def state(stack: Stack) -> dict[str, Any] | None:
    """Return the state, none when there is none yet: secrets are in it."""
    text = _run(stack, ["state", "pull"], timeout_seconds=QUICK_SECONDS).stdout
    return json.loads(text) if text.strip() else None


def force_unlock(stack: Stack, lock_id: str) -> None:
    """Free the state from a lock whose holder is known to be dead."""
    _run(stack, ["force-unlock", "-force", "-no-color", lock_id], timeout_seconds=QUICK_SECONDS)


def _plain(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _run(stack: Stack, argv: list[str], *, timeout_seconds: float) -> Completed:
    """Run a verb that prints its errors for people; what it prints may hold secrets and is in no error."""
    try:
        return _started(stack, argv, timeout_seconds=timeout_seconds)
    except CommandFailed as error:
        raise Rejected(f"terraform {argv[0]}: {_words(error.last_lines)}") from None


def _told(
    stack: Stack, argv: list[str], *, accept: tuple[int, ...] = (0,), timeout_seconds: float | None = None
) -> Completed:
    """Run a verb that tells in lines of JSON what it does; its errors become ours."""
    done = _started(stack, argv, accept=range(256), timeout_seconds=timeout_seconds or stack.timeout_seconds)
    if done.returncode in accept:
        return done
    errors = list(_diagnostics(done, "error"))
    raise _error_of(stack, argv[0], errors) if errors else Rejected(f"terraform {argv[0]}: {_words(done.stderr)}")


def _started(stack: Stack, argv: list[str], *, timeout_seconds: float, accept: Any = (0,)) -> Completed:
    check_variables()
    stack.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return run(
        [PROGRAM, f"-chdir={stack.folder}", *argv],
        timeout_seconds=timeout_seconds,
        env=stack.environment(),
        accept=accept,
        interrupt_seconds=INTERRUPT_SECONDS,
    )


def _diagnostics(done: Completed, severity: str) -> Iterator[dict[str, Any]]:
    for line in done.stdout.splitlines():
        told = json.loads(line) if line.startswith("{") else {}
        if told.get("type") == "diagnostic" and told["diagnostic"]["severity"] == severity:
            yield told["diagnostic"]


def _error_of(stack: Stack, verb: str, errors: list[dict[str, Any]]) -> HeadwayError:
    """Return what the errors of a verb come to: wrong files are told with file and line, as Terraform says them."""
    first = errors[0]
    if first["summary"] == "Error acquiring the state lock":
        return _locked(stack, first["detail"])
    if first["summary"] == "Saved plan is stale":
        return StalePlan("the state was changed after the plan was made\n  next: plan again")
    lines = [_line(error) for error in errors]
    if verb in ("init", "plan") and (where := first.get("range")):
        return Misconfigured(
            f"{stack.folder.name}/{where['filename']}:{where['start']['line']}",
            "\n  ".join([_said(first), *lines[1:]]),
        )
    return Rejected(f"terraform {verb}: " + "\n  ".join(lines))


def _locked(stack: Stack, detail: str) -> StateLocked:
    lock = dict(_LOCK_LINE.findall(detail))
    who = f"{lock.get('Who', 'somebody')} since {lock.get('Created', 'a time that is not told')}"
    return StateLocked(
        f"the state of workspace {stack.workspace} is held by {who} ({lock.get('Operation', '?')})\n"
        f"  next: wait for it; when it is certain that nothing of it runs any more: "
        f"terraform force-unlock {lock.get('ID', 'ID')}",
        lock,
    )


def _line(error: dict[str, Any]) -> str:
    where = error.get("range")
    return (f"{where['filename']}:{where['start']['line']}: " if where else "") + _said(error)


def _said(error: dict[str, Any]) -> str:
    detail = " ".join(error.get("detail", "").split())
    return f"{error['summary']}: {detail}" if detail else str(error["summary"])


def _words(text: str) -> str:
    """Return what Terraform says for people without its frame."""
    lines = [line.strip(" │╷╵") for line in text.splitlines()]
    return " ".join(line for line in lines if line)[-2000:]

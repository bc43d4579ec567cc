"""The errors of a delivery, sorted by what the caller does next."""

from collections.abc import Sequence

ALLOWED, NEXT = "; allowed: ", "next:"


class HeadwayError(Exception):
    """Anything Headway reports in its own words; `exit_code` is what the command line ends with."""

    exit_code = 1
    gate = ""  # what said no, where the error itself knows; else the step tells in which it was raised


class Transient(HeadwayError):
    """May heal by itself: a step that raises it is tried again."""


class PlaceGone(Transient):
    """What runs the application stopped answering: it is asked again once it is back."""


class Rejected(HeadwayError):
    """A gate said no, or a step cannot succeed; live traffic was never touched."""


class NotNeeded(HeadwayError):
    """What was asked for is not so any more: nothing is changed, and nothing is wrong."""

    exit_code = 0


class ReleaseUnhealthy(HeadwayError):
    """Live traffic was at risk, so the release is withdrawn."""

    exit_code = 3


class Misconfigured(HeadwayError):
    """Something the user wrote or asked for cannot work; the message names place, found, allowed and next step."""

    exit_code = 2

    def __init__(self, where: str, found: str, allowed: str = "", next_step: str = "") -> None:
        message = f"{where}: {found}"
        if allowed:
            message += f"{ALLOWED}{allowed}"
        if next_step:
            message += f"\n  {NEXT} {next_step}"
        super().__init__(message)
        self.where, self.found, self.allowed, self.next_step = where, found, allowed, next_step

    def __reduce__(self) -> tuple[type["Misconfigured"], tuple[str, str, str, str]]:
        return type(self), (self.where, self.found, self.allowed, self.next_step)


class CommandFailed(Rejected):
    """A program ended with an exit code that means failure.

    `argv` and `last_lines` must already be free of secrets.
    """

    def __init__(self, argv: Sequence[str], returncode: int, last_lines: str) -> None:
        super().__init__(f"{' '.join(argv[:4])} … ended with exit code {returncode}\n{last_lines}".rstrip())
        self.argv, self.returncode, self.last_lines = tuple(argv), returncode, last_lines

    def __reduce__(self) -> tuple[type["CommandFailed"], tuple[tuple[str, ...], int, str]]:
        return type(self), (self.argv, self.returncode, self.last_lines)


class Interrupted(HeadwayError):
    """The user or the platform asked the delivery to stop; everything it started is removed."""

    exit_code = 130


def joined(errors: Sequence[HeadwayError]) -> HeadwayError:
    """Return one error that says what all of `errors` say, each once; what it is, is what the worst of them is."""
    said = list(dict.fromkeys(str(error) for error in errors))
    if len(said) == 1:
        return errors[0]
    text = "\n".join(said)
    if any(isinstance(error, ReleaseUnhealthy) for error in errors):
        return ReleaseUnhealthy(text)
    if all(isinstance(error, Misconfigured) for error in errors):
        return all_of([error for error in errors if isinstance(error, Misconfigured)])
    return Transient(text) if all(isinstance(error, Transient) for error in errors) else Rejected(text)


def all_of(problems: Sequence[Misconfigured]) -> Misconfigured:
    """Return one error that tells of every mistake, each once."""
    told = {f"{one.where}: {one.found}{'; allowed: ' * bool(one.allowed)}{one.allowed}": one for one in problems}
    if len(told) == 1:
        return problems[0]
    steps = dict.fromkeys(one.next_step for one in told.values() if one.next_step)
    return Misconfigured(
        f"{len(told)} mistakes", "\n".join(["", *(f"  {line}" for line in told)]), "", "; ".join(steps)
    )


def parts_of(message: str) -> tuple[str, str, tuple[str, ...]]:
    """Return what an error's message says was found, what it says is allowed, and the next steps it names.

    It reads what the errors here write: `found; allowed: these`, then lines that begin with `next:`.
    """
    lines = message.splitlines()
    steps = tuple(line.strip().removeprefix(NEXT).strip() for line in lines if line.strip().startswith(NEXT))
    found = "\n".join(line for line in lines if not line.strip().startswith(NEXT))
    if found.count(ALLOWED) != 1:
        return found, "", steps
    said, _, allowed = found.partition(ALLOWED)
    return said, allowed, steps

"""The one place where a program is started."""

import contextlib
import os
import signal
import subprocess
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from delivery.errors import CommandFailed, Interrupted, Rejected
from delivery.model import Model
from delivery.redaction import NOTHING, Redaction

OUTPUT_SECONDS = 5
_running: dict[subprocess.Popen[str], float] = {}  # with the seconds it has to end by itself
_interrupted: weakref.WeakSet[subprocess.Popen[str]] = weakref.WeakSet()
KEYS = ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY", "PREFECT_SERVER_API_AUTH_STRING")
_lock = threading.Lock()
_stopping = threading.Event()


class Completed(Model):
    """What a program that ended left behind."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    def last_lines(self, count: int = 20) -> str:
        """Return the last lines of both outputs, errors last."""
        lines = [line for line in (self.stdout + "\n" + self.stderr).splitlines() if line.strip()]
        return "\n".join(lines[-count:])


def run(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    stdin: str | None = None,
    accept: Sequence[int] = (0,),
    log: Path | None = None,
    on_line: Callable[[str], None] = lambda _: None,
    hide: Redaction = NOTHING,
    interrupt_seconds: float = 0,
) -> Completed:
    """Run a program to its end and return what it printed.

    What `hide` knows is in no log, no error and no line told; without `log` what is returned has it, for it is read on.
    `env` is added to this process's environment, which a value of None takes a variable from; secrets go there or to
    `stdin`, never into `argv`. With `log` both outputs are one, as on a terminal: each line is in that file, and told
    to `on_line` in another thread, as soon as it is printed. Raises CommandFailed for an exit code not in `accept`,
    Rejected when it cannot be started or runs longer than `timeout_seconds`, Interrupted when `stop_all` was called,
    OSError when it ended and its log could not be written. One that must not be torn out of its work is interrupted
    and has `interrupt_seconds` to end before it is killed.
    """
    if _stopping.is_set():
        raise Interrupted(f"{argv[0]} was not started: the run is being stopped")
    process = _start(argv, cwd, env or {}, fed=stdin is not None, as_one=log is not None)
    with _lock:
        _running[process] = interrupt_seconds
    if _stopping.is_set():  # since it was asked above: `stop_all` may not have met this program
        _stop(process, interrupt_seconds)
    try:
        if log:
            stdout, stderr = _follow(process, stdin, timeout_seconds, log, on_line, hide, interrupt_seconds), ""
        else:
            stdout, stderr = process.communicate(stdin, timeout=timeout_seconds)
    except BaseException as error:
        _end(process, interrupt_seconds)
        if isinstance(error, subprocess.TimeoutExpired):
            raise Rejected(f"{argv[0]} did not end within {timeout_seconds:g} s") from error
        raise
    finally:
        with _lock:
            _running.pop(process, None)
    done = Completed(argv=tuple(argv), returncode=process.returncode, stdout=stdout, stderr=stderr)
    return _accepted(done, accept, hide)


def _accepted(done: Completed, accept: Sequence[int], hide: Redaction) -> Completed:
    if _stopping.is_set() and done.returncode < 0:
        raise Interrupted(f"{done.argv[0]} was stopped")
    if done.returncode not in accept:
        raise CommandFailed(done.argv, done.returncode, hide.text(done.last_lines()))
    return done


def without_keys() -> dict[str, str]:
    """Return this process's variables without those that open the Prefect server: no program needs one."""
    return {name: value for name, value in os.environ.items() if name not in KEYS}


def keys_of_the_server() -> dict[str, str]:
    """Return this process's variables that open the Prefect server, for the one program that speaks to it."""
    return {name: os.environ[name] for name in KEYS if name in os.environ}


def _start(
    argv: Sequence[str], cwd: Path | None, env: Mapping[str, str | None], *, fed: bool, as_one: bool
) -> subprocess.Popen[str]:
    """Return the program, started; Rejected when that cannot be. `as_one`: both outputs are one."""
    try:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={name: value for name, value in {**without_keys(), **env}.items() if value is not None},
            stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if as_one else subprocess.PIPE,
            encoding="utf-8",  # whatever the locale is: it is what these programs read and print
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if cwd and not cwd.is_dir():
            raise Rejected(f"{argv[0]} was not started: there is no folder {cwd}") from error
        raise Rejected(f"{argv[0]} is not installed") from error
    except (OSError, ValueError) as error:  # not executable, too many arguments, a NUL in one
        raise Rejected(f"{argv[0]} could not be started: {error}") from error


def stop_all() -> None:
    """End every program this process started; programs asked for afterwards raise Interrupted."""
    _stopping.set()
    with _lock:
        running = dict(_running)
    for process, seconds in running.items():  # all that may end by themselves do so at the same time
        if seconds:
            _interrupt(process)
    for process, seconds in running.items():
        _stop(process, seconds)


def _follow(
    process: subprocess.Popen[str],
    stdin: str | None,
    timeout_seconds: float,
    log: Path,
    on_line: Callable[[str], None],
    hide: Redaction,
    interrupt_seconds: float,
) -> str:
    """Return the output when the program has ended; each line is in `log` as soon as it is printed."""
    assert process.stdout is not None
    output, pipe = list[str](), process.stdout
    troubles = list[OSError]()

    def copy() -> None:
        # A child may hold the pipe longer than we wait. A program whose output nobody takes waits for ever.
        with contextlib.suppress(ValueError), _Log(log, troubles) as file:
            for line in map(hide.text, pipe):
                output.append(line)
                file.write(line)
                on_line(line.rstrip("\n"))

    def feed() -> None:
        with contextlib.suppress(BrokenPipeError), process.stdin or contextlib.nullcontext():  # it reads no more
            if process.stdin and stdin:
                process.stdin.write(stdin)

    log.parent.mkdir(parents=True, exist_ok=True)
    threads = [threading.Thread(target=work, daemon=True) for work in (copy, feed)]
    for thread in threads:
        thread.start()
    try:
        process.wait(timeout_seconds)
    except BaseException:
        _stop(process, interrupt_seconds)
        process.wait()
        raise
    finally:
        for thread in threads:
            thread.join(OUTPUT_SECONDS)
        if not threads[0].is_alive():
            pipe.close()
    if troubles:
        raise troubles[0]
    return "".join(output)


class _Log:
    """A log that is written as long as that is possible; the first OSError, with its path, is in `troubles`."""

    def __init__(self, path: Path, troubles: list[OSError]) -> None:
        self._path, self._troubles = path, troubles
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self._try(lambda: setattr(self, "_file", self._path.open("w", encoding="utf-8")))
        return self

    def write(self, line: str) -> None:
        file = self._file
        if file and not self._troubles:
            self._try(lambda: (file.write(line), file.flush()))

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._try(self._file.close)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as error:
            self._troubles.append(OSError(error.errno, error.strerror, str(self._path)))


def _end(process: subprocess.Popen[str], interrupt_seconds: float) -> None:
    if interrupt_seconds:
        _interrupt(process)
        # Its outputs are read on meanwhile: a program whose output nobody takes waits for ever.
        with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
            process.communicate(timeout=interrupt_seconds)
    _signal(process, signal.SIGKILL)
    # A child that left the group still holds the outputs; what was fed is closed already.
    with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
        process.communicate(timeout=OUTPUT_SECONDS)


def _stop(process: subprocess.Popen[str], interrupt_seconds: float) -> None:
    """End a program and all it started: at once, or when it had its time to end what it does."""
    if interrupt_seconds:
        _interrupt(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(interrupt_seconds)
    _signal(process, signal.SIGKILL)


def _interrupt(process: subprocess.Popen[str]) -> None:
    """Ask a program once to end: to many of them a second time means at once."""
    with _lock:
        asked_before = process in _interrupted
        _interrupted.add(process)
    if not asked_before:
        _signal(process, signal.SIGINT)


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended by itself
        os.killpg(process.pid, number)

"""How a command line passes arguments on to the program in it: through shells, `npm test` and the like."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SHELLS = ("sh", "bash", "ash", "dash", "zsh")
MANAGERS = ("npm", "yarn", "pnpm", "bun")
VARIABLE = "HEADWAY_TEST_ARGUMENTS"  # for commands of which nobody knows how they pass arguments on

_TEST_WORD = re.compile(r"(?<![a-z])tests?(?![a-z])|e2e|(?<![a-z])spec(?![a-z])", re.IGNORECASE)
_ABOUT_IT = {"add", "echo", "i", "install", "printf"}  # `npm install jest` starts no Jest
_NOT_SCRIPTS = ("install", "i", "ci", "add", "build", "cache", "config", "set", "version", "--version", "-v")
# Quoted text and expansions are one piece; what stands between commands is another kind of piece.
_PIECES = re.compile(
    r"""(?P<end>(?<!\S)\#[^\n]*|&&|\|\|?|;;?|\n|(?<![<>&])&(?![>&])|[(){}](?=\s|;|$))|"""
    r"""(?P<word>(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|\$\([^()]*\)|\$\{[^{}]*\}|`[^`]*`|[<>]&\S*|&>|[^\s;&|'"\\(){}`]|[(){}](?!\s|;|$))+)""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Program:
    """By what names a command line starts a program, and the word that must follow, if any: `playwright test`."""

    names: tuple[str, ...]
    verb: str = ""

    def is_in(self, words: Sequence[str]) -> bool:
        """Tell whether a simple command starts it."""
        place = self.place_in(words)
        if place is None or _ABOUT_IT & set(words[:place]):
            return False
        return not self.verb or self.verb in words[place:]

    def place_in(self, words: Sequence[str]) -> int | None:
        """Return where among `words` its name stands."""
        bare = (re.sub(r"\.(c?js|mjs|cmd|py)$", "", word.rpartition("/")[2]) for word in words)
        return next((number for number, word in enumerate(bare) if word in self.names), None)


def starts(argv: Sequence[str], program: Program) -> bool:
    """Tell whether somewhere in the command line, also in a script for a shell, `program` is started."""
    return any(program.is_in(words) for words in _commands(argv))


def is_test_command(argv: Sequence[str]) -> bool:
    """Tell whether a command line plainly is one of tests: there is a word with `test` in it."""
    return any(_TEST_WORD.search(word) for words in _commands(argv) for word in words)


def with_arguments(argv: Sequence[str], arguments: Sequence[str], program: Program) -> tuple[str, ...] | None:
    """Return the command line in which `program` gets `arguments` as well; none when nobody can say how."""
    if not arguments:
        return tuple(argv)
    if (at := _script_at(argv)) is None:
        return _passed(argv, arguments, program)
    script = argv[at]
    if VARIABLE in script:
        return tuple(argv)
    commands = list(_simple_commands(script))
    chosen = _carrier([words for _, _, words in commands], program)
    if chosen is None:
        return None
    start, end, words = commands[chosen]
    passed = _passed(words, arguments, program)
    if passed is None:
        return None
    return (*argv[:at], script[:start] + _rewritten(script[start:end], words, passed) + script[end:], *argv[at + 1 :])


def _commands(argv: Sequence[str]) -> list[Sequence[str]]:
    at = _script_at(argv)
    return [argv] if at is None else [words for _, _, words in _simple_commands(argv[at])]


def _script_at(argv: Sequence[str]) -> int | None:
    """Return where the script of a shell stands: `sh -c SCRIPT`, also behind an entry point."""
    for number in range(len(argv) - 2):
        is_shell = argv[number].rpartition("/")[2] in SHELLS
        if is_shell and re.fullmatch(r"-[a-z]*c", argv[number + 1]):
            return number + 2
    return None


def _simple_commands(script: str) -> Iterator[tuple[int, int, list[str]]]:
    """Yield start, end and words of each command in a shell's script."""
    words: list[str] = []
    start = end = 0
    for piece in _PIECES.finditer(script):
        if piece["word"] is None:
            if words:
                yield start, end, words
            words = []
        else:
            start, end = (start if words else piece.start()), piece.end()
            words.append(_unquoted(piece["word"]))
    if words:
        yield start, end, words


def _carrier(commands: Sequence[Sequence[str]], program: Program) -> int | None:
    """Return which command is the one that runs the tests; none when that is not plain."""
    named = [number for number, words in enumerate(commands) if program.is_in(words)]
    scripts = [number for number, words in enumerate(commands) if _script_name(words) is not None]
    tests = [number for number in scripts if _TEST_WORD.search(_script_name(commands[number]) or "")]
    for candidates in (named, tests, scripts):
        if candidates:
            return candidates[0] if len(candidates) == 1 else None
    return None


def _script_name(words: Sequence[str]) -> str | None:
    """Return which script of package.json a command runs: `npm test`, `yarn e2e`, `pnpm --filter web run unit`."""
    place = next((number for number, word in enumerate(words) if word.rpartition("/")[2] in MANAGERS), None)
    if place is None:
        return None
    rest = [word for word in words[place + 1 :] if not word.startswith("-")]
    ordinary = ("run", "run-script", "test", "t", "tst")
    named = [word for word in rest if word in ordinary] or rest
    if not named or named[0] in _NOT_SCRIPTS or (words[place].endswith("npm") and named[0] not in ordinary):
        return None
    if named[0] not in ("run", "run-script"):
        return "test" if named[0] in ("t", "tst") else named[0]
    after = rest[rest.index(named[0]) + 1 :]
    return after[0] if after else None


def _passed(words: Sequence[str], arguments: Sequence[str], program: Program) -> tuple[str, ...] | None:
    """Return the words of a simple command with the arguments where it passes them on."""
    if program.is_in(words):
        place = program.place_in(words) or 0
        end = next((number for number in range(place, len(words)) if words[number] == "--"), len(words))
        return (*words[:end], *arguments, *words[end:])
    if _script_name(words) is None:
        return None
    manager = next(word.rpartition("/")[2] for word in words if word.rpartition("/")[2] in MANAGERS)
    if manager == "npm":
        return (*words, *(() if "--" in words else ("--",)), *arguments)
    if manager == "pnpm" and "run" not in words:  # `pnpm test --json` is an unknown option to some of its versions
        at = next((number for number, word in enumerate(words) if word in ("test", "t", "tst")), None)
        if at is not None:
            return (*words[:at], "run", "test", *words[at + 1 :], *arguments)
    return (*words, *arguments)


def _rewritten(text: str, words: Sequence[str], passed: Sequence[str]) -> str:
    """Return the text of a shell's command for `passed`, with what stood in it left as it was written."""
    pieces = [piece for piece in _PIECES.finditer(text) if piece["word"] is not None]
    kept = 0
    while kept < len(words) and words[kept] == passed[kept]:
        kept += 1
    rest = 0
    while rest < len(words) - kept and words[-1 - rest] == passed[-1 - rest]:
        rest += 1
    cut = pieces[kept - 1].end() if kept else 0
    resume = pieces[len(words) - rest].start() - 1 if rest else len(text)
    added = shlex.join(passed[kept : len(passed) - rest])
    return f"{text[:cut]} {added}{text[resume:]}"


def _unquoted(word: str) -> str:
    try:
        return "".join(shlex.split(word)) or word
    except ValueError:
        return word

"""Every command has help for each option, an example that is run, and, where it prints data, a schema."""

import json

import pytest

from cli.outputs import OUTPUTS
from tests.cli.conftest import Headway
from tests.support.examples import IN_THE_FOREGROUND, ON_A_MACHINE, ON_AWS, commands, examples

COMMANDS = commands()
SHARED = ("--json", "--app", "--by", "--steal")
EXAMPLES = examples()


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_option_and_every_argument_has_help(verb: str) -> None:
    command = COMMANDS[verb]
    silent = [one.name for one in command.params if not getattr(one, "help", None) and one.name != "help"]
    assert command.help
    assert silent == []


def test_every_command_has_an_example() -> None:
    assert {one.verb for one in EXAMPLES} == set(COMMANDS)


def test_every_command_that_prints_data_has_a_schema_and_an_example_that_does() -> None:
    printing = {verb for verb, command in COMMANDS.items() if any("--json" in one.opts for one in command.params)}
    assert printing == set(OUTPUTS)
    assert {one.verb for one in EXAMPLES if one.prints_data} == printing


def test_what_is_run_elsewhere_than_in_memory_is_a_command() -> None:
    assert {*ON_A_MACHINE, *IN_THE_FOREGROUND, *ON_AWS} <= set(COMMANDS)


@pytest.mark.parametrize("verb", OUTPUTS)
def test_a_schema_is_printed_of_what_a_command_prints(headway: Headway, verb: str) -> None:
    ended = headway("schema", "--output", verb)
    schema = json.loads(ended.out)
    assert ended.code == 0
    assert schema["title"] == f"headway {verb} --json"
    assert "$schema" in schema


def test_a_command_that_prints_no_data_is_told_with_those_that_do(headway: Headway) -> None:
    ended = headway("schema", "--output", "down")
    assert ended.code == 2
    assert ended.err.startswith("error: --output down: prints no data; allowed: approve, backup, backups")


def test_an_option_of_several_commands_says_the_same_everywhere() -> None:
    told: dict[str, set[str]] = {}
    for command in COMMANDS.values():
        for one in command.params:
            if one.opts[0] in SHARED:
                told.setdefault(one.opts[0], set()).add(str(getattr(one, "help", "")))
    assert {option for option, words in told.items() if len(words) > 1} == set()
    assert set(told) == set(SHARED)

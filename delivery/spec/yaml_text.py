"""YAML as JSON knows it: every mistake in it is told with its line."""

from collections.abc import Hashable
from typing import Any

import yaml

from delivery.errors import Misconfigured


class _Loader(yaml.SafeLoader):
    """YAML as JSON knows it: a key that is given twice is a mistake, and a value that is none says where it stands."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, LookupError, AttributeError) as error:  # the 31st of February, `!!int x`
            line, value = node.start_mark.line + 1, short(getattr(node, "value", ""))
            raise yaml.YAMLError(f"line {line}: {value} cannot be read: {short(str(error))}") from error


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: dict[Hashable, int] = {}
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue  # what it brings may be overridden
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, Hashable):
            raise yaml.YAMLError(f"line {line}: a key must be text")
        if key in seen:
            raise yaml.YAMLError(f"line {line}: {key} is given twice, first in line {seen[key]}")
        seen[key] = line
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def parse(text: str, where: str) -> object:
    """Return what `text` holds; Misconfigured, with `where`, when it is no YAML or nested too deeply."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        raise Misconfigured(where, f"is not YAML: {_yaml_problem(error)}") from error
    except RecursionError as error:
        raise Misconfigured(where, "is nested too deeply to be read") from error


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    return f"line {mark.line + 1}: {problem}" if mark and problem else str(error).splitlines()[0]


def short(value: object) -> str:
    """Return a value as a message shows it, in at most 60 characters."""
    try:
        text = "keys with values" if isinstance(value, dict) else repr(value)
    except ValueError:  # a number of thousands of digits
        return "a very large number"
    return text if len(text) <= 60 else f"{text[:57]}…"

"""Which Compose files describe production, and their content as one document in which nothing is left to look up."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from delivery.discovery.draft import Draft
from delivery.discovery.folders import below, is_file, read, walk
from delivery.discovery.interpolation import env_file, fill_in
from delivery.discovery.shapes import items, table

Document = dict[str, Any]
_FOLDERS = ("", "docker", ".docker", "deploy", "deployment", "compose", "docker-compose", "infra", "ops")
_BASES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_VARIANT = re.compile(
    r"^(?:(?:docker-)?compose[._-]([\w.-]+)|([\w-]+)[._-](?:docker-)?compose|(production|prod|local))\.ya?ml$"
)
_PRODUCTION = re.compile(r"^(prod|production|deploy|deployment|live|release)$")
_DEVELOPMENT = re.compile(r"^(override|dev|devel|development|local)$")
_TESTS = re.compile(r"(^|[._-])(tests?|e2e|ci|integration)([._-]|$)")
_READING = (ValueError, TypeError, LookupError, AttributeError, RecursionError, yaml.YAMLError)
_APPENDED = ("ports", "expose", "volumes", "env_file", "profiles", "tmpfs", "devices", "configs", "secrets", "cap_add")
_BY_KEY = ("environment", "labels", "depends_on", "args", "networks")
_NESTED = ("build", "deploy", "healthcheck", "logging")
_MOST_VALUES = 50_000


@dataclass(frozen=True)
class ComposeFile:
    """A document with its services in one piece, and the folder its paths start from."""

    names: str
    folder: Path
    document: Document
    variables: Mapping[str, str] = field(default_factory=dict)  # those of the `.env` beside it

    @property
    def services(self) -> dict[str, Document]:
        """The services that are described at all."""
        return {name: one for name, one in table(self.document.get("services")).items() if isinstance(one, dict)}


class _Reset:
    """What `!reset` leaves of a value."""


class _Override(list[Any]):
    """A list that takes the place of the one before."""


class _OverrideTable(dict[str, Any]):
    """A mapping that takes the place of the one before."""


class _Loader(yaml.SafeLoader):
    """YAML in which everything but null, true and false is the text that stands there."""


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> object:
    if suffix == "reset":
        return _Reset()
    if isinstance(node, yaml.MappingNode):
        keys: dict[Any, Any] = loader.construct_mapping(node, deep=True)
        return _OverrideTable(keys) if suffix == "override" else keys
    if isinstance(node, yaml.SequenceNode):
        found = loader.construct_sequence(node, deep=True)
        return _Override(found) if suffix == "override" else found
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false|True|False)$"), list("tfTF"))
_Loader.add_multi_constructor("!", _tagged)


def find_compose(root: Path, draft: Draft) -> ComposeFile | None:
    """Return the Compose file of production, with the files it is made of; none where there is none to read."""
    found = _nearest(root)
    if found is None:
        return None
    folder, bases, variants = found
    production = [path for path, kind in variants.items() if _PRODUCTION.match(kind)]
    chosen = [*bases[:1], *production[:1]]
    if not chosen:
        chosen = [path for path, kind in variants.items() if _DEVELOPMENT.match(kind)][:1]
        if chosen:
            draft.guess(
                f"{_name(chosen[0], root)} is read although it is for development: there is no other Compose file"
            )
    documents = {path: document for path in chosen if (document := _load(path, root, draft)) is not None}
    if len(documents) == 2 and not _is_override(*documents.values()):
        documents.pop(chosen[0])
    if not documents:
        return None
    if len(documents) == 2 or production:
        said = " and ".join(_name(path, root) for path in documents)
        draft.guess(f"production is what {said} {'say' if len(documents) == 2 else 'says'}")
    for path in (*bases, *variants):
        if path not in documents and not _TESTS.search(variants.get(path, "")):
            draft.leave_out(f"{_name(path, root)} is not read: it is not the Compose file of production")
    merged: Document = {}
    for document in documents.values():
        merged = _merged(merged, document)
    return ComposeFile(
        " + ".join(_name(path, root) for path in documents), folder, merged, env_file(folder / ".env", root)[0]
    )


def compose_files_of_tests(root: Path) -> list[ComposeFile]:
    """Return the Compose files whose names say that tests run in them, each read by itself."""
    found = _nearest(root)
    files = [path for path, kind in (found[2] if found else {}).items() if _TESTS.search(kind)]
    loaded = {path: _load(path, root, Draft()) for path in files}
    return [ComposeFile(_name(path, root), path.parent, one) for path, one in loaded.items() if one]


def _nearest(root: Path) -> tuple[Path, list[Path], dict[Path, str]] | None:
    """Return the first folder with Compose files: those without a second name, and the others with it."""
    others = sorted({path.parent for path in walk(root, 1) if path.parent != root})
    for folder in [*(root / name for name in _FOLDERS), *others]:
        bases = [folder / name for name in _BASES if is_file(folder / name)]
        variants: dict[Path, str] = {}
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            match = _VARIANT.match(path.name)
            if match and is_file(path) and (not match[3] or "services:" in read(path)):
                variants[path] = (match[1] or match[2] or match[3]).lower()
        if bases or any(_PRODUCTION.match(kind) or _DEVELOPMENT.match(kind) for kind in variants.values()):
            return folder, bases, variants
    return None


def _is_override(base: Document, production: Document) -> bool:
    """Whether the second file only says what is different in production."""
    before, after = table(base.get("services")), table(production.get("services"))
    return any(
        name in before and isinstance(one, dict) and not (one.get("build") and before.keys() <= after.keys())
        for name, one in after.items()
    )


def _load(path: Path, root: Path, draft: Draft, seen: frozenset[Path] = frozenset()) -> Document | None:
    """Return a file with everything it includes and extends, and with its variables filled in; none with a word."""
    try:
        text = read(path)
        content = _plain(yaml.load(text, _Loader), [0])  # noqa: S506  # a SafeLoader
        if not isinstance(content, dict):
            return None
        variables, _ = env_file(path.parent / ".env", root)
        document: Document = fill_in(content, variables)
        for included in _included(document, path.parent):
            if included not in seen and below(included, root) and (more := _load(included, root, draft, seen | {path})):
                document = _merged(_moved(more, included.parent, path.parent), document)
        services = table(document.get("services"))
        document["services"] = {name: _extended(name, services, path, root, frozenset(), draft) for name in services}
    except _READING as error:
        draft.decide(
            f"{_name(path, root)} was not read, {_problem(error)}: correct it, and let init write the file anew"
        )
        return None
    return document


def _problem(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    return f"line {mark.line + 1}: {problem}" if mark and problem else (str(error).splitlines() or ["it is no YAML"])[0]


def _plain(value: Any, count: list[int], deep: int = 0) -> Any:
    """Return a YAML value as a tree of texts, lists and mappings; ValueError when it is no tree people write."""
    count[0] += 1
    if deep > 40 or count[0] > _MOST_VALUES:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        return type(value)((str(key), _plain(one, count, deep + 1)) for key, one in value.items())
    if isinstance(value, list):
        return type(value)(_plain(one, count, deep + 1) for one in value)
    return value if value is None or isinstance(value, bool | str | _Reset) else str(value)


def _included(document: Document, folder: Path) -> Iterator[Path]:
    for entry in items(document.get("include")):
        paths = items(entry.get("path")) if isinstance(entry, dict) else [entry]
        yield from (folder / path for path in paths if isinstance(path, str) and "://" not in path and "\0" not in path)


def _extended(
    name: str, services: Mapping[str, Any], path: Path, root: Path, seen: frozenset[str], draft: Draft
) -> Any:
    service = services[name]
    asked = service.get("extends") if isinstance(service, dict) else None
    if not asked:
        return service
    base, file = (asked, None) if isinstance(asked, str) else (table(asked).get("service"), table(asked).get("file"))
    rest = {key: value for key, value in service.items() if key != "extends"}
    mark = f"{file}:{base}"
    if mark in seen or not isinstance(base, str):
        return rest
    if isinstance(file, str) and path.parent / file != path:
        other = path.parent / file
        there = _load(other, root, draft, frozenset({path})) if below(other, root) else None
        found = table(_moved(there or {}, other.parent, path.parent).get("services")).get(base)
    else:
        found = _extended(base, services, path, root, seen | {mark}, draft) if base in services else None
    return merge_service(found, rest) if isinstance(found, dict) else rest


def _moved(document: Document, origin: Path, folder: Path) -> Document:
    """Return a document of another folder with its paths as they are seen from `folder`."""
    if os.path.normpath(origin) == os.path.normpath(folder):
        return document
    prefix = os.path.relpath(origin, folder)

    def path(value: Any) -> Any:
        if isinstance(value, dict):
            return {**value, "path": path(value.get("path"))}
        return value if not isinstance(value, str) or "://" in value or os.path.isabs(value) else f"{prefix}/{value}"

    def moved(service: Any) -> Any:
        changed = dict(service) if isinstance(service, dict) else {}
        if changed.get("build"):
            build = _build_table(changed["build"])
            changed["build"] = {**build, "context": path(build.get("context") or ".")}
        if changed.get("env_file"):
            changed["env_file"] = [path(one) for one in items(changed["env_file"])]
        return changed or service

    return {**document, "services": {name: moved(one) for name, one in table(document.get("services")).items()}}


def _merged(base: Document, over: Document) -> Document:
    merged = {**base, **{key: value for key, value in over.items() if key != "services"}}
    services = dict(table(base.get("services")))
    for name, service in table(over.get("services")).items():
        before = services.get(name)
        services[name] = (
            merge_service(before, service) if isinstance(before, dict) and isinstance(service, dict) else service
        )
    return {**merged, "services": {name: one for name, one in services.items() if not isinstance(one, _Reset)}}


def merge_service(base: Document, over: Document) -> Document:
    """Return a service as Compose merges two descriptions of it."""
    merged = dict(base)
    for key, value in over.items():
        before = base.get(key)
        if isinstance(value, _Reset):
            merged.pop(key, None)
        elif key in _BY_KEY and before is not None and not isinstance(value, _Override | _OverrideTable):
            merged[key] = {**as_table(before), **as_table(value)}
        elif key in _APPENDED and before is not None and not isinstance(value, _Override | _OverrideTable):
            merged[key] = [*items(before), *items(value)]
        elif key in _NESTED and before is not None and not isinstance(value, _OverrideTable):
            merged[key] = merge_service(_build_table(before), _build_table(value))
        else:
            merged[key] = value
    return merged


def as_table(value: Any) -> dict[str, Any]:
    """Return a list of `KEY=value` or names as the mapping that means the same."""
    if isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for entry in items(value):
        name, sign, rest = str(entry).partition("=")
        found[name.strip()] = rest if sign else None
    return found


def _build_table(value: Any) -> Document:
    return value if isinstance(value, dict) else {"context": value} if isinstance(value, str) else {}


def _name(path: Path, root: Path) -> str:
    return below(path, root) or path.name

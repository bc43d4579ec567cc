"""Globs in which `**` crosses folders and `*` does not, taken apart at their folders."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Glob:
    """An absolute glob."""

    pattern: PurePosixPath

    @cached_property
    def start(self) -> PurePosixPath:
        """The deepest folder, or the file itself, that holds all matches."""
        fixed: list[str] = []
        for part in self.pattern.parts:
            if set("*?") & set(part):
                break
            fixed.append(part)
        return PurePosixPath(*fixed)

    def matches(self, path: PurePosixPath) -> bool:
        """Tell whether `path` is one of those that are meant."""
        return _expression(str(self.pattern)).fullmatch(str(path)) is not None

    def may_hold(self, folder: PurePosixPath) -> bool:
        """Tell whether a match may lie below `folder`."""
        parts, wanted = folder.parts, self.pattern.parts
        for number, part in enumerate(parts):
            if number >= len(wanted):
                return False
            if "**" in wanted[number]:
                return True
            if not _expression(wanted[number]).fullmatch(part):
                return False
        return len(wanted) > len(parts)

    def crosses_folders(self, folder: PurePosixPath) -> bool:
        """Tell whether `folder` lies where `**` reaches, so that its path may be any."""
        return any("**" in part for part in self.pattern.parts[: len(folder.parts)])


def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part) or re.escape(part) for part in parts), re.DOTALL)

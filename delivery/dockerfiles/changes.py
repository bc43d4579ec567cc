"""The same Dockerfile starting from other images, or with files that only its RUN instructions see.

Changed is what the parser found and nothing else, each instruction where it stands.
"""

import re
from collections.abc import Callable, Mapping

from delivery.dockerfiles.parsing import directives
from delivery.dockerfiles.reading import Dockerfile, Instruction, Source, Stage, mount_fields
from delivery.dockerfiles.variables import NEWER, NotUnderstood

Change = Callable[[str], str]
_RUN = re.compile(r"^(\s*RUN)(?=\s)", re.IGNORECASE)


def needs_no_change(dockerfile: Dockerfile, used: Mapping[str, str]) -> bool:
    """Whether the engine can take the file as it is: every image is called what it is asked for by."""
    written = (word for stage in dockerfile.stages for word in stage.at.words[:1])
    return all(asked == name for asked, name in used.items()) and not any(NEWER.search(word) for word in written)


def starting_from(dockerfile: Dockerfile, used: Mapping[str, str]) -> str:
    """Return the text in which every image in `used` is replaced, and what an older engine cannot expand written out.

    Lines keep their numbers. Raises NotUnderstood when what the parser found does not stand there as such.
    """
    changes: dict[Instruction, list[Change]] = {}
    for stage in dockerfile.stages:
        image = stage.image if dockerfile.parent(stage) is not None else used.get(stage.image, stage.image)
        if image != stage.image or NEWER.search(stage.at.words[0]):
            changes.setdefault(stage.at, []).append(_from_line(stage, image))
        for source in stage.sources + stage.triggers:
            if dockerfile.stage_of(source, stage) is None and used.get(source.name, source.name) != source.name:
                changes.setdefault(source.at, []).append(_other_source(source, used[source.name]))
    return _changed(dockerfile.text, changes)


def with_files(dockerfile: Dockerfile, mounts: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """Return the text whose RUN instructions see secrets as files, and `variables` that the image does not keep.

    `mounts` is secret → path in the container. A build argument is in no image's environment.
    https://docs.docker.com/reference/dockerfile/#run---mounttypesecret
    """
    flags = " ".join(f"--mount=type=secret,id={name},target={path},mode=0444" for name, path in mounts.items())
    declared = "ARG " + " ".join(f'{name}="{value}"' for name, value in variables.items())

    def with_flags(text: str) -> str:
        changed, count = _RUN.subn(lambda match: f"{match[1]} {flags}", text)
        if not count:
            raise NotUnderstood(f"a RUN that does not begin with RUN: {text[:40]}")
        return changed

    changes: dict[Instruction, list[Change]] = {}
    for stage in dockerfile.stages:
        if stage.runs:
            changes[stage.at] = [lambda text: f"{text.rstrip()}\n{declared}\n"]
        for run in stage.runs:
            changes[run] = [with_flags]
    return _changed(dockerfile.text, changes)


def without_syntax(text: str) -> str:
    """Return the text without its `# syntax=` line: it names an image as well, one that only a registry has."""
    names = [name for name, _ in directives(text)]
    lines = text.split("\n")
    return "\n".join(line for number, line in enumerate(lines) if names[number : number + 1] != ["syntax"])


def _from_line(stage: Stage, image: str) -> Change:
    def changed(text: str) -> str:
        words = ["FROM", *stage.at.flags, image, *stage.at.words[1:]]
        return " ".join(words) + "\n" * max(1, text.count("\n"))

    return changed


def _other_source(source: Source, image: str) -> Change:
    if source.flag.startswith("--from="):
        flag = f"--from={image}"
    else:
        fields = [f"from={image}" if one.lower().startswith("from=") else one for one in mount_fields(source.flag)]
        flag = f"--mount={','.join(fields)}"

    def changed(text: str) -> str:
        if source.flag not in text:
            raise NotUnderstood(f"{source.flag} is written over several lines")
        return text.replace(source.flag, flag, 1)

    return changed


def _changed(text: str, changes: Mapping[Instruction, list[Change]]) -> str:
    lines = [f"{line}\n" for line in text.split("\n")]
    for at in sorted(changes, key=lambda one: one.first, reverse=True):
        part = "".join(lines[at.first : at.last + 1])
        for change in changes[at]:
            part = change(part)
        lines[at.first : at.last + 1] = [part]
    return "".join(lines).removesuffix("\n")

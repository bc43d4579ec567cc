"""The masking file: what becomes of every column of a database before another environment gets its data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from delivery.counting import counted
from delivery.errors import Misconfigured
from delivery.model import Model
from delivery.spec.yaml_text import parse, short

Fake = Literal["name", "email", "phone", "address", "text", "ip", "date", "uuid", "number"]
Kind = Literal["keep", "null", "hash", "empty", "fake"]
FAKES: tuple[str, ...] = get_args(Fake)
WORDS = ("keep", "null", "hash", "empty")
ALLOWED = f"{', '.join(WORDS)}, {{fake: {'|'.join(FAKES)}}}"
PAGE = "the masking file is explained in docs/backups.md"


class Rule(Model):
    """What becomes of the values of one column; a value that is null stays null."""

    kind: Kind
    fake: Fake | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        if value is None:  # `null` is a word of YAML
            return {"kind": "null"}
        if value in WORDS:
            return {"kind": value}
        if isinstance(value, dict) and list(value) == ["fake"] and value["fake"] in FAKES:
            return {"kind": "fake", **value}
        if isinstance(value, cls) or (isinstance(value, dict) and "kind" in value):
            return value  # as it was written down by `model_dump`
        found = f"fake: {value['fake']}" if isinstance(value, dict) and list(value) == ["fake"] else short(value)
        raise ValueError(f"found {found}; allowed: {ALLOWED}")

    @property
    def shown(self) -> str:
        """The rule as a masking file says it."""
        return f"{{fake: {self.fake}}}" if self.fake else self.kind

    @property
    def replaces(self) -> bool:
        """Whether values are others afterwards."""
        return self.kind != "keep"


class TableMasking(Model):
    """What becomes of one table: of all its rows, or of columns."""

    truncate: bool = Field(False, description="no row of it goes along")
    columns: dict[str, Rule] = Field({}, description="name of a column: what becomes of it")

    @model_validator(mode="after")
    def _one_way(self) -> "TableMasking":
        if self.truncate and self.columns:
            raise ValueError(
                "has truncate and columns; allowed: one of them, for without rows there is nothing to mask"
            )
        return self


class Masking(Model):
    """A masking file."""

    tables: dict[str, TableMasking] = Field({}, description="`schema.table`, or `table` where one schema alone has it")
    large_objects: Literal["keep", "empty"] | None = Field(None, description="needed where there are any")
    comments: Literal["keep", "drop"] | None = Field(None, description="needed where one looks personal")
    definitions: Literal["keep"] | None = Field(None, description="needed where a view, a default … looks personal")
    file: str = Field("", description="where it was read; not a key of the file")


def load_masking(folder: Path, path: str) -> Masking:
    """Return what the masking file `path` below `folder` says; Misconfigured, with every mistake, otherwise."""
    try:
        text = (folder / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(path, f"cannot be read: {error}", next_step=PAGE) from error
    content = parse(text, path)
    if content is not None and not isinstance(content, dict):
        raise Misconfigured(path, f"found {short(content)}", f"keys with values: {_keys(Masking)}", PAGE)
    given = dict(content or {})
    mistakes = [f"file: there is no such key; allowed: {_keys(Masking)}"] if given.pop("file", None) else []
    try:
        masking = Masking.model_validate(given)
    except ValidationError as error:
        mistakes += [_told(one) for one in error.errors()]
    if mistakes:
        found = mistakes[0] if len(mistakes) == 1 else "\n  ".join([counted(len(mistakes), "mistake"), *mistakes])
        raise Misconfigured(path, found, next_step=PAGE)
    return masking.model_copy(update={"file": path})


def masking_problems(folder: Path, paths: Mapping[str, str]) -> list[str]:
    """Return a line for each masking file, a key of headway.yaml and its path, that cannot be taken."""
    found = []
    for key, path in paths.items():
        try:
            load_masking(folder, path)
        except Misconfigured as error:
            found.append(f"{key}: {error.where}: {error.found}")
    return found


def _told(detail: ErrorDetails) -> str:
    place = ".".join(str(part).strip() for part in detail["loc"] if part != "[key]")
    match detail["type"]:
        case "extra_forbidden":
            model = Masking if len(detail["loc"]) == 1 else TableMasking
            return f"{place}: there is no such key; allowed: {_keys(model)}"
        case "value_error":
            return f"{place}: {detail.get('ctx', {}).get('error')}"
        case "string_type":
            return f"{place}: the key is not text; write it in quotes"
        case "model_type" | "dict_type":
            allowed = _keys(TableMasking) if len(detail["loc"]) == 2 else "names, each with what becomes of it"
            return f"{place}: found {short(detail['input'])}; allowed: {allowed}"
    allowed = detail["msg"].removeprefix("Input should be ").replace("'", "")
    return f"{place}: found {short(detail['input'])}; allowed: {allowed}"


def _keys(model: type[Model]) -> str:
    return ", ".join(name for name in model.model_fields if name != "file")

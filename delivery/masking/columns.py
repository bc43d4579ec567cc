"""A database as masking sees it: its columns, the keys between them, and what else may tell of people."""

from typing import Literal

from delivery.model import Model

Family = Literal["text", "texts", "array", "number", "date", "uuid", "json", "bytes", "address", "other"]
Place = tuple[str, str]  # `schema.table`, and the name of a column
TEXTS = ("text", "varchar", "bpchar", "citext", "name")
_FAMILIES: dict[str, Family] = {
    **dict.fromkeys(TEXTS, "text"),
    **dict.fromkeys(("int2", "int4", "int8", "numeric", "float4", "float8"), "number"),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), "date"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    **dict.fromkeys(("inet", "cidr", "macaddr", "macaddr8"), "address"),
    "uuid": "uuid",
    "bytea": "bytes",
}


class Column(Model):
    """A column of a table that has rows of its own, or of a partitioned one, for all its partitions."""

    space: str
    """The schema."""
    relation: str
    partitioned: bool = False
    name: str
    type: str
    """As PostgreSQL writes it."""
    base: str
    """The type under all domains, or that of an array's elements."""
    array: bool = False
    labelled: bool = False
    """Whether its values are those of an enumeration."""
    length: int | None = None
    """The most characters."""
    digits: int | None = None
    """The most digits before the point."""
    not_null: bool = False
    generated: bool = False
    always: bool = False
    """Whether it is an identity that takes no value of others."""
    unique: bool = False
    keyed: bool = False
    """Whether it is part of a primary or a foreign key."""

    @property
    def table(self) -> str:
        """The table as a masking file names it."""
        return f"{self.space}.{self.relation}"

    @property
    def place(self) -> Place:
        """What it is known by."""
        return self.table, self.name

    @property
    def family(self) -> Family:
        """What its values are."""
        if self.array:
            return "texts" if self.base in TEXTS else "array"
        return "other" if self.labelled else _FAMILIES.get(self.base, "other")

    @property
    def says_words(self) -> bool:
        """Whether what looks personal can be seen in its values: not in numbers, dates and bytes."""
        return self.family in ("text", "texts", "array", "json", "address") or (
            self.family == "other" and not self.labelled and self.base not in ("bool", "bit", "varbit", "interval")
        )


class ForeignKey(Model):
    """Columns that hold what columns of another table hold."""

    name: str
    table: str
    columns: tuple[str, ...]
    referenced: str
    referenced_columns: tuple[str, ...]

    @property
    def pairs(self) -> tuple[tuple[Place, Place], ...]:
        """Each column with the one that it refers to."""
        both = zip(self.columns, self.referenced_columns, strict=True)
        return tuple(((self.table, own), (self.referenced, other)) for own, other in both)


class Catalog(Model):
    """What there is in a database."""

    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    large_objects: int = 0

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables, each once."""
        return tuple(dict.fromkeys(column.table for column in self.columns))

    def of(self, table: str) -> tuple[Column, ...]:
        """Return the columns of a table."""
        return tuple(column for column in self.columns if column.table == table)


class Sign(Model):
    """Why something looks personal, with how often it was seen; the values themselves are not told."""

    table: str = ""
    column: str = ""
    definition: str = ""
    """Instead of table and column: what it is that is defined, or commented on."""
    why: str
    count: int = 0

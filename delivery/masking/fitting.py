"""Whether a rule can be carried out: what a column's type takes, and what constraints say of it."""

from delivery.masking.columns import Column, Family
from delivery.spec.masking import Rule

# What a made-up value may be put into.
_FITS: dict[str, tuple[Family, ...]] = {
    "hash": ("text", "texts"),
    "empty": ("text", "texts", "array", "json", "bytes"),
    "name": ("text", "texts"),
    "email": ("text", "texts"),
    "phone": ("text", "texts"),
    "address": ("text", "texts"),
    "text": ("text", "texts"),
    "ip": ("address", "text", "texts"),
    "date": ("date", "text", "texts"),
    "uuid": ("uuid", "text", "texts"),
    "number": ("number", "text", "texts"),
}
# The characters that a value needs: to be one at all, and to be no other's.
_WHOLE = {"email": 25, "phone": 15, "ip": 15, "date": 10, "uuid": 36}
_UNIQUE = {"hash": 16, "name": 32, "address": 64, "text": 16, "ip": 39, "number": 15}
_REPEATED = ("date", "phone")  # there are not as many as there may be rows: of 10^11 two of a million would be the same
_ENOUGH = 10**15  # numbers, for that not to happen within millions of rows


def misfit(column: Column, rule: Rule) -> str:
    """Return why a rule cannot be carried out on a column, with what is allowed; nothing when it can be."""
    allowed = f"{column.type} takes {', '.join(_taken(column))}"
    if column.generated:
        return "" if rule.kind == "keep" else "is generated from other columns, which are masked; allowed: keep"
    if rule.kind == "keep":
        return ""
    if column.always:
        return f"is an identity that takes no other value; found {rule.shown}; allowed: keep"
    if rule.kind == "null":
        return f"found null, and it is NOT NULL; allowed: {allowed}" if column.not_null else ""
    what = rule.fake or rule.kind
    if column.family not in _FITS[what] or (what == "ip" and column.base in ("macaddr", "macaddr8")):
        return f"found {rule.shown}, which {column.type} does not take; allowed: {allowed}"
    if what == "empty":
        return "found empty, and its values are unique; allowed: hash, null" if column.unique else ""
    needed = max(_WHOLE.get(what, 0), _UNIQUE.get(what, 0) if column.unique else 0)
    if column.unique and (what in _REPEATED or (what == "number" and numbers_of(column) < _ENOUGH)):
        return f"found {rule.shown}, and its values are unique; allowed: {', '.join(_one_each(column))}"
    if column.length is not None and column.length < needed:
        return f"found {rule.shown}, which needs {needed} characters; {column.type} has {column.length}"
    return ""


def numbers_of(column: Column) -> int:
    """Return below which number all numbers fit into a column."""
    most = {"int2": 2**15 - 1, "int4": 2**31 - 1, "float4": 2**24}.get(column.base, 2**53)
    digits = column.digits if column.digits is not None else column.length
    return min(most, 10**digits) if digits is not None else most


def suggested(column: Column, word: str) -> str:
    """Return the rule that a column which looks personal probably wants, as a masking file says it."""
    hints = {
        "email": "{fake: email}",
        "mail": "{fake: email}",
        "phone": "{fake: phone}",
        "tel": "{fake: phone}",
        "telephone": "{fake: phone}",
        "mobile": "{fake: phone}",
        "ip": "{fake: ip}",
        "name": "{fake: name}",
        "firstname": "{fake: name}",
        "fullname": "{fake: name}",
        "lastname": "{fake: name}",
        "address": "{fake: address}",
        "street": "{fake: address}",
    }
    plain = {
        "text": "hash",
        "texts": "empty",
        "array": "empty",
        "json": "empty",
        "bytes": "empty",
        "date": "{fake: date}",
        "number": "{fake: number}",
        "uuid": "{fake: uuid}",
        "address": "{fake: ip}",
    }
    for choice in (hints.get(word, ""), plain.get(column.family, ""), "" if column.not_null else "null", "keep"):
        if choice and not misfit(column, _rule(choice)):
            return choice
    return "keep"


def _rule(written: str) -> Rule:
    fake = written.removeprefix("{fake: ").removesuffix("}")
    return Rule.model_validate({"fake": fake} if fake != written else written)


def _one_each(column: Column) -> list[str]:
    """Return the rules of which a column has as many values as it has rows, or none."""
    hashed = ["hash"] if column.family in _FITS["hash"] else []
    return [*hashed, *([] if column.not_null else ["null"]), "keep"]


def _taken(column: Column) -> list[str]:
    fakes = [name for name, families in _FITS.items() if column.family in families]
    kinds = [one for one in ("hash", "empty") if one in fakes]
    made_up = [one for one in fakes if one not in kinds]
    nothing = [] if column.not_null else ["null"]
    return ["keep", *nothing, *kinds, *([f"{{fake: {'|'.join(made_up)}}}"] if made_up else [])]

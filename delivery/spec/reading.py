"""What is left of a `headway.yaml` without what cannot be taken: so that the mistakes in the rest are found too."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from delivery.spec.keys import Keys

NAMED = ("images", "services", "backing", "suites", "environments")
ROUNDS = 5  # without a value another one may be missing
Location = tuple[int | str, ...]


def read_rest(
    content: dict[Any, Any], details: Sequence[ErrorDetails], meant: Callable[[Location], str | None]
) -> tuple[Keys | None, bool]:
    """Return what the file says without the values that `details` complain of, or none when too little is left.

    An unknown key counts as the one that was `meant`. And whether everything that has a name is still there, so that
    what the parts say of each other can be judged.
    """
    rest, is_whole = copy.deepcopy(content), True
    for _ in range(ROUNDS):
        for detail in details:
            if detail["loc"]:
                wanted = meant(detail["loc"]) if detail["type"] == "extra_forbidden" else None
                is_whole &= _leave_out(rest, detail["loc"], wanted)
            elif detail["type"] == "value_error":
                is_whole = False  # that the parts do not fit together is told already
        try:
            return Keys.model_validate(rest), is_whole
        except ValidationError as error:
            details = error.errors()
    return None, False


def _leave_out(content: Any, location: Location, meant: str | None) -> bool:
    """Remove the key at `location`, or the last one on the way that is there; whether no part lost its name by it.

    Its value is given to the key that was `meant`, when there is one and it has no value.
    """
    way: list[tuple[dict[Any, Any], Any]] = []
    place = content
    for part in location:
        if not isinstance(place, dict):
            break  # of a list nothing is taken out: its items would have other numbers
        if part in place:
            way.append((place, part))
            place = place[part]
    if not way:
        return True
    holder, key = way[-1]
    value = holder.pop(key, None)
    if meant and meant not in holder:
        holder[meant] = value
        return True
    return len(way) > (2 if location[0] in NAMED else 1)

"""Whether images made from Debian packages may take the place of those that cannot be had."""

import os
from typing import Literal, get_args

from delivery.errors import Misconfigured

StandIns = Literal["when-missing", "always", "never"]
MACHINE = "HEADWAY_STAND_INS"
_STRICTER: tuple[StandIns, ...] = ("when-missing", "always", "never")


def stricter(in_file: StandIns) -> StandIns:
    """Return what counts on this machine: the stricter of what headway.yaml and the machine's own variable say."""
    return max(in_file, machine_says(), key=_STRICTER.index)


def machine_says() -> StandIns:
    """Return what HEADWAY_STAND_INS says; Misconfigured when it is none of the words there are."""
    said = os.environ.get(MACHINE) or "when-missing"
    for word in _STRICTER:
        if said == word:
            return word
    raise Misconfigured(f"environment variable {MACHINE}", said, ", ".join(get_args(StandIns)))


def who_forbids(in_file: StandIns) -> str:
    """Return, in words, what forbids stand-ins."""
    said = "`stand_ins: never` in headway.yaml" if in_file == "never" else f"{MACHINE}=never on this machine"
    return f"forbidden by {said}"

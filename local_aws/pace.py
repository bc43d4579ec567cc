"""How fast time goes here: what AWS does in a minute is done in seconds, so that a test need not wait for it."""

import os

VARIABLE = "HEADWAY_LOCAL_AWS_MINUTE"
DEFAULT = 6.0  # seconds


def minute_seconds() -> float:
    """Return how many seconds a minute of AWS takes."""
    return float(os.environ.get(VARIABLE) or DEFAULT)


def seconds_of(aws_seconds: float) -> float:
    """Return how many seconds it takes what takes so many on AWS."""
    return aws_seconds * minute_seconds() / 60

"""What the tests of a run said, for programs that read JUnit."""

from tasks.results import copy_junit

__all__ = ["copy_junit"]

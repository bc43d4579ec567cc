"""The test matrix: which cells a suite has, and what came out of each."""

import itertools
import re
from collections.abc import Iterable

from pydantic import Field

from delivery.model import Model, Name
from delivery.spec.app import App
from delivery.spec.environments import Environment
from delivery.spec.suites import Suite


class Cell(Model):
    """One suite with one value of every axis and one shard."""

    suite: Name
    axes: dict[str, str] = {}
    shard: int = Field(1, ge=1)
    shards: int = Field(1, ge=1)

    @property
    def name(self) -> str:
        """What people see: `api[node=22] 1/2`."""
        values = ",".join(f"{axis}={value}" for axis, value in self.axes.items())
        part = f" {self.shard}/{self.shards}" if self.shards > 1 else ""
        return f"{self.suite}{f'[{values}]' if values else ''}{part}"

    @property
    def slug(self) -> str:
        """The name as a file name; no two cells of an application share one."""
        values = "".join(f".{axis}={_escaped(value)}" for axis, value in self.axes.items())
        part = f".{self.shard}-{self.shards}" if self.shards > 1 else ""
        return f"{self.suite}{values}{part}"

    @property
    def variables(self) -> dict[str, str]:
        """The axis values and the shard as environment variables: counted from 1, and as an index from 0."""
        named = {variable_name(axis): value for axis, value in self.axes.items()}
        shard = {"HEADWAY_SHARD": self.shard, "HEADWAY_SHARD_INDEX": self.shard - 1, "HEADWAY_SHARDS": self.shards}
        return {**named, **{name: str(number) for name, number in shard.items()}}

    def fill_axes(self, text: str) -> str:
        """Return `text` with `${axis}` replaced by the cell's value."""
        for axis, value in self.axes.items():
            text = text.replace(f"${{{axis}}}", value)
        return text


def expand(app: App) -> tuple[Cell, ...]:
    """Return every cell of the matrix, to which suites that run only in an environment do not belong."""
    elsewhere = suites_of_environments(app)
    return tuple(cell for name, suite in app.suites.items() if name not in elsewhere for cell in cells_of(name, suite))


def suites_to_run(app: App, environments: Iterable[str]) -> list[str]:
    """Return the suites of the matrix and of these environments, in the order of the file."""
    here = _suites_of(app.environments[name] for name in environments)
    elsewhere = suites_of_environments(app)
    return [name for name in app.suites if name in here or name not in elsewhere]


def suites_of_environments(app: App) -> frozenset[str]:
    """Return the suites that an environment names for acceptance or checks: they run only there."""
    return _suites_of(app.environments.values())


def _suites_of(environments: Iterable[Environment]) -> frozenset[str]:
    environments = tuple(environments)
    checks = {check.suite for environment in environments for check in environment.checks if check.suite}
    return frozenset(checks.union(*(environment.acceptance for environment in environments)))


def cells_of(name: str, suite: Suite) -> tuple[Cell, ...]:
    """Return the cells of one suite: every combination of its axes, each in every shard."""
    return tuple(
        Cell(suite=name, axes=dict(zip(suite.axes, values, strict=True)), shard=shard, shards=suite.shards)
        for values in itertools.product(*suite.axes.values())
        for shard in range(1, suite.shards + 1)
    )


def variable_name(name: str) -> str:
    """Return the environment variable for an axis or a service: upper case, dashes as underscores."""
    return name.upper().replace("-", "_")


def _escaped(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", lambda found: f"_{ord(found[0]):x}_", value)

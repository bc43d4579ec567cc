"""What a suite's reports say in all."""

from pydantic import Field

from delivery.model import Model


class Totals(Model):
    """What the reports of a suite say in all."""

    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    flaky: int = Field(0, description="failed, then passed on a retry")
    failing: tuple[str, ...] = Field((), description="failing tests by name")

    @property
    def ran(self) -> int:
        """Tests that ran, whatever came out."""
        return self.tests - self.skipped

    def plus(self, other: "Totals") -> "Totals":
        """Return the sum of both."""
        counts = {key: getattr(self, key) + getattr(other, key) for key in Totals.model_fields}
        return Totals.model_validate(counts)

    def at_least(self, other: "Totals") -> "Totals":
        """Return what two reports of the same tests say: each knows of something that the other one leaves out."""
        counts = {key: max(getattr(self, key), getattr(other, key)) for key in Totals.model_fields if key != "failing"}
        return Totals.model_validate({**counts, "failing": self.failing or other.failing})

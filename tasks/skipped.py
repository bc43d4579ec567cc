"""What a delivery notes of the pushes that it takes the place of."""

from delivery.model import Model

INSTEAD = "instead"


class Skipped(Model):
    """Commits that were pushed before and are not delivered by themselves."""

    commits: tuple[str, ...] = ()

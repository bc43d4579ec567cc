"""Why something that was sent is not taken."""


class Refused(Exception):
    """What was sent is not taken; `status` answers it, and the reason says no more than its sender may know."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason

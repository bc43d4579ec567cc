"""What came back when the application was asked."""

from delivery.model import Model


class Answer(Model):
    """What came back; status 0 when nothing did."""

    status: int = 0
    timed_out: bool = False
    headers: dict[str, str] = {}
    body: bytes = b""

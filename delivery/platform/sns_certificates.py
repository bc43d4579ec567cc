"""What is fetched from Amazon SNS itself: its signing certificates, and that a subscription is confirmed."""

import threading
from collections import OrderedDict

import httpx

from delivery.errors import Transient

SECONDS = 5.0
MOST_BYTES = 64 * 2**10
MOST_KEPT = 16  # they change about once a year


def fetch(url: str) -> bytes:
    """Return what lies at a URL that was found to be one of SNS; Transient when it cannot be had."""
    try:
        with httpx.stream("GET", url, timeout=SECONDS, follow_redirects=False) as answer:
            content = b""
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise Transient(f"{url} is longer than {MOST_BYTES} bytes")
    except httpx.HTTPError as error:
        raise Transient(f"{url} was not fetched: {error}") from error
    if answer.status_code != httpx.codes.OK:
        raise Transient(f"{url} was not fetched: HTTP {answer.status_code}")
    return content


class Kept:
    """Certificates that were fetched before, the newest of them; what is no certificate is fetched anew."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, url: str) -> bytes:
        """Return what lies at a URL of SNS."""
        with self._lock:
            if found := self._kept.get(url):
                return found
        found = fetch(url)
        if url.endswith(".pem"):
            with self._lock:
                self._kept[url] = found
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
        return found

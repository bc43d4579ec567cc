"""Who may speak to the registry for how long: what GetAuthorizationToken and GetDownloadUrlForLayer hand out.

What is handed out says itself whom it was given to, so that nothing about it needs to be kept but the key.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass

from local_aws.installation import current

TOKEN_SECONDS = 12 * 60 * 60
LINK_SECONDS = 60 * 60
USER = "AWS"


@dataclass(frozen=True)
class Principal:
    """Who asks: an account, and the ARNs that a policy may know it by."""

    account: str
    arns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grant:
    """What was handed out; with a `path` it is good for reading that alone."""

    account: str
    arns: tuple[str, ...]
    expires: int  # seconds since 1970
    path: str = ""

    @property
    def principal(self) -> Principal:
        """Whom it was given to."""
        return Principal(self.account, self.arns)


def written(grant: Grant) -> str:
    """Return it as a word that nobody else can make."""
    content = base64.urlsafe_b64encode(json.dumps(asdict(grant)).encode()).decode()
    return f"{content}.{_signature(content)}"


def read(word: str) -> Grant | None:
    """Return what a word says, whether it has expired or not; none for one that was not written here."""
    content, _, signature = word.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(content).encode()):
        return None
    found = json.loads(base64.urlsafe_b64decode(content))
    return Grant(**{**found, "arns": tuple(found["arns"])})


def _signature(content: str) -> str:
    here = current()
    key = here.home.key(here.folder / "keys" / "tokens").get_secret_value()
    return hmac.new(key.encode(), content.encode(), hashlib.sha256).hexdigest()

"""A Prefect server that somebody else runs: what is asked of it, and how it is named without its credentials."""

import json
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from delivery.errors import Misconfigured

SETTING = "PREFECT_API_URL"
ANSWER_SECONDS = 5.0
CLOUD = ("https://api.prefect.cloud/api", "https://app.prefect.cloud")
URLS = "http://HOST:PORT/api"
STEP = "start that server or correct PREFECT_API_URL; without the variable Headway runs a server of its own"
CREDENTIALS_STEP = "export PREFECT_API_KEY or PREFECT_API_AUTH_STRING as that server asks for"


@dataclass(frozen=True)
class PrefectApi:
    """The server at `url`, which may hold a user and a password; `settings` are Prefect's, with key and TLS."""

    url: str = field(repr=False)
    settings: Mapping[str, str] = field(repr=False)

    @property
    def shown(self) -> str:
        """The URL without credentials."""
        return without_credentials(self.url)

    @property
    def ui(self) -> str:
        """Where its UI is, as Prefect itself infers it from the API's URL."""
        if own := self.settings.get("PREFECT_UI_URL"):
            return own.rstrip("/")
        url = self.shown.replace(*CLOUD) if self.shown.startswith(CLOUD[0]) else self.shown
        url = url.removesuffix("/api").replace("/api/", "/")
        return re.sub("/(account|workspace)s/", r"/\1/", url)

    def answers(self) -> bool:
        """Whether it is healthy and takes our credentials."""
        try:
            self.check()
        except Misconfigured:
            return False
        return True

    def check(self) -> None:
        """Return when it can be used; Misconfigured with its URL, and what to do, when it cannot."""
        try:
            with self.client() as client:
                health = client.get("health").status_code
                # Health is open to everybody, this is not; where there is no such page, nobody is kept out by it.
                admitted = client.get("admin/version").status_code if health == 200 else health
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):  # their words may hold a password
            raise Misconfigured(SETTING, f"{self.shown} is no URL", URLS, STEP) from None
        except (httpx.HTTPError, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise Misconfigured(SETTING, f"{self.shown} does not answer: {reason}", next_step=STEP) from None
        if 401 in (health, admitted) or 403 in (health, admitted):
            raise Misconfigured(SETTING, f"{self.shown} refuses the credentials", next_step=CREDENTIALS_STEP)
        if health != 200:
            found = f"{self.shown} answers with HTTP {health}: it is no Prefect API, or not a healthy one"
            raise Misconfigured(SETTING, found, URLS, STEP)

    def client(self) -> httpx.Client:
        """Return a client with what Prefect's own would send."""
        given = self.settings
        headers, auth = dict[str, str](), None
        with suppress(ValueError):
            headers |= json.loads(given.get("PREFECT_CLIENT_CUSTOM_HEADERS", "{}"))
        if text := given.get("PREFECT_API_AUTH_STRING"):
            user, _, password = text.partition(":")
            auth = httpx.BasicAuth(user, password)
        elif key := given.get("PREFECT_API_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        return httpx.Client(
            base_url=self.url, headers=headers, auth=auth, timeout=ANSWER_SECONDS, verify=_verification(given)
        )


def without_credentials(url: str) -> str:
    """Return a URL without user, password and query."""
    scheme, mark, rest = url.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2].partition('?')[0]}".rstrip("/")


def _verification(given: Mapping[str, str]) -> ssl.SSLContext | bool:
    if given.get("PREFECT_API_TLS_INSECURE_SKIP_VERIFY", "").lower() in ("1", "true", "yes", "on"):
        return False
    file = given.get("PREFECT_API_SSL_CERT_FILE")
    return ssl.create_default_context(cafile=file) if file else True

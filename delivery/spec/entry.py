"""What stands in headway.yaml about the way in: the certificates of HTTPS and the proxies before the router."""

import ipaddress
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from delivery.model import Model


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise ValueError(f"found {text!r}; allowed: an address or a network, like 10.0.0.0/8 or fd00::/8") from error


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        allowed = "an address of the Docker host, like 127.0.0.1, 0.0.0.0 (all of them) or ::1"
        raise ValueError(f"found {text!r}; allowed: {allowed}") from error


Network = Annotated[str, AfterValidator(_network)]
Address = Annotated[str, AfterValidator(_address)]


class Certificate(Model):
    """A certificate of the HTTPS entry, with its chain and its private key: in a secret, or in files."""

    secret: str | None = Field(None, description="name of the Prefect secret block that holds chain and key as PEM")
    certificate: str | None = Field(None, description="file on the platform's machine: the certificate and its chain")
    key: str | None = Field(None, description="file on the platform's machine: the key; none: it is in `certificate`")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.secret is None) == (self.certificate is None):
            found = "both" if self.secret else "none of them"
            raise ValueError(f"needs exactly one of secret, certificate (found {found})")
        if self.key and self.secret:
            raise ValueError("key: stands in the secret, beside its certificate")
        for name, path in (("certificate", self.certificate), ("key", self.key)):
            if path and not path.startswith("/"):
                raise ValueError(
                    f"{name}: found {path!r}; allowed: an absolute path on the platform's machine, for a private key "
                    f"does not belong into a repository"
                )
        return self

"""Certificates of an HTTPS entry: chain and key that fit together, are in force, and say which names they are for."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import SecretStr

from delivery.errors import Misconfigured

SOON = timedelta(days=14)
_PEM = "PEM: the certificate, those between it and its authority, and its private key without a password"


@dataclass(frozen=True)
class ServerCertificate:
    """A certificate with its chain and private key; `where` is its key in headway.yaml."""

    where: str
    pem: SecretStr = field(repr=False)
    names: tuple[str, ...]
    expires: datetime
    fingerprint: str

    @property
    def file(self) -> str:
        """What its file is called: another certificate has another name."""
        return f"{self.fingerprint[:32]}.pem"

    def warning(self, now: datetime) -> str:
        """Say that it ends soon, or nothing."""
        if self.expires - now < SOON:
            named = ", ".join(self.names)
            return f"{self.where}: the certificate for {named} ends at {self.expires:%Y-%m-%d %H:%M} UTC; renew it"
        return ""


def read_certificate(where: str, pem: str, now: datetime) -> ServerCertificate:
    """Return the certificate in `pem`; Misconfigured when it is unreadable, not in force, or the key is another's."""
    try:
        chain = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise Misconfigured(where, "holds no certificate that can be read", _PEM) from error
    try:
        key = load_pem_private_key(pem[pem.index(_key_line(pem)) :].encode(), None)
    except TypeError as error:
        raise Misconfigured(where, "the private key has a password", _PEM, "openssl pkey removes it") from error
    except ValueError as error:
        raise Misconfigured(where, "holds no private key that can be read", _PEM) from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    own = key.public_key().public_bytes(*form)
    leaf = next((one for one in chain if one.public_key().public_bytes(*form) == own), None)
    names = _names(leaf or chain[0])
    if leaf is None:
        found = f"the private key is not that of the certificate for {', '.join(names)}"
        raise Misconfigured(where, found, "a pair of key and certificate")
    _check_time(where, leaf, names, now)
    # The router shows what comes first as its own.
    ordered = [leaf, *(one for one in chain if one is not leaf)]
    public = b"".join(one.public_bytes(Encoding.PEM) for one in ordered)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return ServerCertificate(
        where=where,
        pem=SecretStr((public + private).decode()),
        names=names,
        expires=leaf.not_valid_after_utc,
        fingerprint=hashlib.sha256(public).hexdigest(),
    )


def without_certificate(hosts: Iterable[str], certificates: Sequence[ServerCertificate]) -> list[str]:
    """Return the hosts that no certificate names: their users are shown another one's."""
    named = {name for one in certificates for name in one.names}
    return [host for host in hosts if host not in named and f"*.{host.partition('.')[2]}" not in named]


def _key_line(pem: str) -> str:
    lines = (line for line in pem.splitlines() if line.startswith("-----BEGIN ") and "PRIVATE KEY" in line)
    found = next(lines, None)
    if found is None:
        raise ValueError("no private key")
    return found


def _check_time(where: str, leaf: x509.Certificate, names: Sequence[str], now: datetime) -> None:
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if begins <= now <= ends:
        return
    how = f"ended at {ends:%Y-%m-%d %H:%M}" if now > ends else f"begins at {begins:%Y-%m-%d %H:%M}"
    found = f"the certificate for {', '.join(names)} {how} UTC"
    raise Misconfigured(where, found, "one that is in force", "put the renewed one there")


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (leaf.subject.rfc4514_string(),)
    return (*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress)))

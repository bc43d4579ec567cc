"""The authorities this machine trusts beyond the public ones, and how the programs in a build come to trust them.

A machine has its own where a proxy reads along, as in many companies: what builds there needs its authority as well.
"""

import binascii
import logging
import os
import re
import ssl
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import certifi
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.x509 import load_der_x509_certificate

# Where people put an authority of their own: Debian and Alpine, Red Hat, Arch.
ANCHORS = (
    Path("/usr/local/share/ca-certificates"),
    Path("/etc/pki/ca-trust/source/anchors"),
    Path("/etc/ca-certificates/trust-source/anchors"),
)
VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

# Below /dev a mount leaves nothing in the image: that is a file system of the container's own.
FOLDER = "/dev/headway"
_BUNDLE, _APT, _WGET, _JAVA = (f"{FOLDER}/{name}" for name in ("ca.crt", "apt.conf", "wgetrc", "truststore.p12"))
MOUNTS: Mapping[str, str] = {
    "headway-ca": _BUNDLE,
    "headway-apt": _APT,
    "headway-wget": _WGET,
    "headway-java": _JAVA,
}
_PASSWORD = "changeit"  # noqa: S105  # Java's own default; what it protects is public
# Each program has a variable of its own for the bundle it trusts; OpenSSL, Go, uv, Ruby and .NET share the first.
ENVIRONMENT: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "DENO_CERT"),
            *("GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE", "BUNDLE_SSL_CA_CERT", "SSL_CA_CERT_FILE"),
            *("COMPOSER_CAFILE", "HEX_CACERTS_PATH", "NIX_SSL_CERT_FILE"),
        ),
        _BUNDLE,
    ),
    "APT_CONFIG": _APT,
    "WGETRC": _WGET,
    "JAVA_TOOL_OPTIONS": " ".join(
        f"-Djavax.net.ssl.trustStore{option}" for option in (f"={_JAVA}", "Type=PKCS12", f"Password={_PASSWORD}")
    ),
}

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_lock = threading.Lock()
_log = logging.getLogger("headway.builder")


def own_bundle() -> bytes | None:
    """Return the public authorities and the machine's own as PEM; none on a machine that has no own ones.

    Its own are those that the environment or the system's folder names and that are no public ones.
    """
    public = _read(Path(certifi.where()))
    own = {one: None for path in _files() for one in _read(path) if one not in set(public)}
    return "".join(ssl.DER_cert_to_PEM_cert(one) for one in [*public, *own]).encode() if own else None


def write_files(bundle: bytes, folder: Path) -> dict[str, Path]:
    """Write what `MOUNTS` names into `folder` and return secret → file."""
    files = {name: folder / Path(path).name for name, path in MOUNTS.items()}
    files["headway-ca"].write_bytes(bundle)
    files["headway-apt"].write_text(f'Acquire::https::CaInfo "{_BUNDLE}";\n')
    files["headway-wget"].write_text(f"ca_certificate = {_BUNDLE}\n")
    files["headway-java"].write_bytes(_java_store(_read(files["headway-ca"])))
    return files


def _java_store(trusted: Iterable[bytes]) -> bytes:
    """Return Java's form of a bundle; an authority that Java could not read either is left out."""
    kept = []
    with _lock, warnings.catch_warnings(action="error"):  # warnings are one setting for all threads
        for one in trusted:
            try:
                kept.append(pkcs12.PKCS12Certificate(load_der_x509_certificate(one), None))
            except (ValueError, Warning) as error:
                _log.debug("not for Java: %s", error)
    return pkcs12.serialize_java_truststore(kept, BestAvailableEncryption(_PASSWORD.encode()))


def _files() -> Iterator[Path]:
    for variable in VARIABLES:
        path = Path(os.environ.get(variable) or "/dev/null")
        if path.is_file():
            yield path
    for folder in ANCHORS:
        yield from sorted(path for path in folder.rglob("*") if path.suffix in (".crt", ".pem") and path.is_file())


def _read(path: Path) -> list[bytes]:
    """Return the certificates in a PEM file; a warning, and no more of them, when one cannot be read."""
    try:
        return [ssl.PEM_cert_to_DER_cert(text) for text in _PEM.findall(path.read_text(errors="replace"))]
    except (OSError, ValueError, binascii.Error) as error:
        _log.warning("%s holds certificates that cannot be read, builds do without them: %s", path, error)
        return []

"""The certificate authorities this machine trusts beyond what every image brings."""

import os
from pathlib import Path

VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE")


def own_certificates() -> Path | None:
    """Return the bundle that the environment names, or none when the machine has none of its own."""
    for variable in VARIABLES:
        path = Path(os.environ.get(variable) or "/dev/null")
        if path.is_file() and path.stat().st_size > 0:
            return path
    return None

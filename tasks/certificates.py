"""Certificates of an environment's HTTPS entry, read as they are now and judged before users see them."""

from datetime import UTC, datetime
from pathlib import Path

from delivery.errors import Misconfigured
from delivery.ports.aws_account import AwsAccount
from delivery.ports.tls import ServerCertificate, read_certificate, without_certificate
from delivery.spec.app import App, environment_of
from delivery.spec.entry import Certificate
from tasks.secret_values import load_value


def load_certificates(app: App, environment: str, account: AwsAccount | None = None) -> tuple[ServerCertificate, ...]:
    """Return the certificates of the environment's HTTPS entry; Misconfigured when one cannot be shown to users."""
    target, now = environment_of(app, environment).target, datetime.now(UTC)
    where = f"headway.yaml: environments.{environment}.target"
    places = {f"{where}.{key}": one for key, one in target.certificates().items()}
    return tuple(read_certificate(there, _pem_of(there, one, account), now) for there, one in places.items())


def certificate_problems(app: App, environment: str) -> list[str]:
    """Return what is, or soon will be, wrong for users of the HTTPS entry; Misconfigured when it cannot be opened."""
    certificates, now = load_certificates(app, environment), datetime.now(UTC)
    problems = [text for text in (one.warning(now) for one in certificates) if text]
    hosts = [host for service in app.services.values() for host in service.hosts] if certificates else []
    if unnamed := without_certificate(hosts, certificates):
        names = ", ".join(name for one in certificates for name in one.names)
        where = f"environments.{environment}.target.tls"
        problems.append(f"{where}: no certificate is for {', '.join(unnamed)}; there are those for {names}")
    return problems


def _pem_of(where: str, certificate: Certificate, account: AwsAccount | None) -> str:
    """Return chain and key as one text; it is secret."""
    if certificate.secret:
        secret = load_value(certificate.secret, account)
        if secret is None:
            next_step = f"headway secret set {certificate.secret}"
            raise Misconfigured(f"{where}.secret", f"there is no secret {certificate.secret}", next_step=next_step)
        return secret.get_secret_value()
    parts = []
    for name, path in (("certificate", certificate.certificate), ("key", certificate.key)):
        try:
            parts += [Path(path).read_text()] if path else []
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not text"
            next_step = f"let the user that Headway runs as read it: ls -l {path}"
            raise Misconfigured(f"{where}.{name}", f"{path} cannot be read: {reason}", next_step=next_step) from error
    return "\n".join(parts)

"""How users come in to an environment on a Docker host: address, name, certificates."""

import logging

from delivery.docker.target.published import bracketed
from delivery.docker.target.router import ANY_ADDRESSES, Router
from delivery.errors import Misconfigured
from delivery.ports.settings import EnvironmentSettings
from delivery.programs import haproxy
from delivery.programs.haproxy_values import Entry
from delivery.spec.app import App
from delivery.spec.docker_target import DockerTarget
from delivery.spec.health import LOCAL_HOST
from delivery.traffic.served import routed_to

_log = logging.getLogger(__name__)


def entry_of(router: Router, target: DockerTarget, settings: EnvironmentSettings) -> Entry:
    """Return how users shall come in, with the certificates as they are now laid ready in the router.

    One that cannot be shown to users any more leaves those that are in use, as the way back must stay open.
    """
    files: tuple[str, ...] = ()
    if target.tls:
        try:
            files = router.keep_certificates(settings.certificates())
        except Misconfigured as problem:
            files = haproxy.entry_in(router.file()).certificates
            if not files:
                raise
            _log.warning("%s; the router goes on with the certificates that it has", problem)
    published = {"port": router.port, "https_port": router.https_port}
    return Entry(**published, certificates=files, trusted_proxies=target.trusted_proxies)


def host_for(path: str, app: App) -> str:
    """Return the name to ask `path` by: of the service it leads to whatever the name, else the first there is."""
    services, name = app.services, routed_to(path, app.routes())
    named = [services[name]] if name else [one for one in services.values() if one.hosts]
    return next((one.public_host for one in named), LOCAL_HOST)


def url_of(router: Router, app: App, remote: str | None) -> str:
    """Return the users' address; `remote` is the name of the engine's machine, when it is another one."""
    address = router.bind if router.bind not in ANY_ADDRESSES else remote or "127.0.0.1"
    named = [host for service in app.services.values() for host in service.hosts if "*" not in host]
    host = named[0] if named else bracketed(address)
    if router.https_port is None:
        return f"http://{host}" + ("" if router.port == 80 else f":{router.port}")
    return f"https://{host}" + ("" if router.https_port == 443 else f":{router.https_port}")
